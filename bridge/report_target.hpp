#pragma once

#include <cstdint>
#include <optional>

#include "fleet/catalog.hpp"
#include "fleet/device_flow.hpp"
#include "fleet/ports/update_store.hpp"

namespace ota::bridge {

/// An attempt of the device by its id: the offer's, one this batch has changed, or a stored one. Errors: the
/// store's.
[[nodiscard]] fleet::Expected<std::optional<fleet::Attempt>> find_attempt(const fleet::DeviceWork& work,
                                                                          std::int64_t attempt_id,
                                                                          fleet::UpdateStore& store);

/// The attempt that `report` is about (contract section 1): the one it names, else the newest open one of its
/// version, else the newest. Errors: `invalid` when what it names cannot be, which is final, and the store's.
[[nodiscard]] fleet::Expected<fleet::ReportTarget> target_of(const fleet::DeviceWork& work,
                                                             const fleet::Report& report,
                                                             const fleet::Catalog& catalog,
                                                             fleet::UpdateStore& store);

}  // namespace ota::bridge
