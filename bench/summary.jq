# All samples (slurped) → the table of ./ota bench. A ratio is the median of the rounds' own ratios: only what was
# measured in the same round is compared.

def median: sort | if length == 0 then null elif length % 2 == 1 then .[length / 2 | floor]
            else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def rounded($digits): if . == null then null else . * pow(10; $digits) | round / pow(10; $digits) end;
def shown($unit): if . == null then "-"
                  elif . >= 100 then "\(round) \($unit)"
                  else "\(rounded(2)) \($unit)" end;

. as $samples
| def values($figure; $side; $field):
    [$samples[] | select(.figure == $figure and .side == $side) | .[$field] | select(. != null)];
  def ratios($figure; $side; $field):
    [$samples[] | select(.figure == $figure and .side == "bridge") as $bridge
     | $samples[] | select(.figure == $figure and .side == $side and .round == $bridge.round)
     | if .[$field] then $bridge[$field] / .[$field] else empty end];
  {
    measured_at: $measured_at,
    cores: $cores,
    figures: [
      {figure: "rest_check", what: "REST check, 64 connections", field: "rate", unit: "/s", ratio_min: 1.0},
      {figure: "rest_check", what: "REST check, p99", field: "p99_ms", unit: "ms", value_max: 25},
      {figure: "rest_status", what: "REST update-status, 64 connections", field: "rate", unit: "/s", ratio_min: 0.7},
      {figure: "mqtt_check_500", what: "MQTT check to offer, 500 connections", field: "rate", unit: "/s",
       ratio_min: 0.8},
      {figure: "mqtt_check_500", side: "reference, retained", what: "  beside retained answers", field: "rate",
       unit: "/s"},
      {figure: "mqtt_check_50", what: "MQTT check to offer, 50 connections", field: "rate", unit: "/s",
       ratio_min: 0.8},
      {figure: "mqtt_check_50", side: "reference, retained", what: "  beside retained answers", field: "rate",
       unit: "/s"},
      {figure: "mqtt_check_50", what: "MQTT check to offer, 50 connections, p50", field: "p50_ms", unit: "ms",
       ratio_max: 2.0},
      {figure: "push", what: "offers pushed by a new rollout", field: "rate", unit: "/s", ratio_min: 0.7},
      {figure: "download", what: "1 MiB download, 16 connections", field: "rate", unit: "MB/s", ratio_min: 0.75},
      {figure: "health", what: "/health beside 300 slow downloads, p99", field: "p99_ms", unit: "ms", value_max: 50},
      {figure: "memory", what: "memory for 100 000 devices", field: "grown_mb", unit: "MB", value_max: 16}
    ]
    | map(
        (.side // "reference") as $side
        | values(.figure; "bridge"; .field) as $bridge
        | select($bridge | length > 0)
        | (ratios(.figure; $side; .field) | median) as $ratio
        | ($bridge | median) as $value
        | .unit as $unit
        | {
            figure, what,
            bridge: ($value | shown($unit)),
            reference: (values(.figure; $side; .field) | median | shown($unit)),
            ratio: ($ratio | rounded(2)),
            goal: (if .ratio_min then "≥ \(.ratio_min) ×" elif .ratio_max then "≤ \(.ratio_max) ×"
                   elif .value_max then "≤ \(.value_max) \(.unit)" else "" end),
            met: (if .ratio_min then ($ratio // 0) >= .ratio_min elif .ratio_max then ($ratio // 1e9) <= .ratio_max
                  elif .value_max then $value <= .value_max else null end)
          }),
    samples: $samples
  }
