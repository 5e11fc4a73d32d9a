-- The signed manifest of an image, byte for byte as its signer made it.
ALTER TABLE firmware_releases
    ADD COLUMN IF NOT EXISTS manifest          text,
    ADD COLUMN IF NOT EXISTS manifest_sequence bigint,
    ADD COLUMN IF NOT EXISTS verified          boolean NOT NULL DEFAULT false;
