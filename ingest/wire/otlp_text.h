// otlp_text.h -- OTLP values as text.
#pragma once

#include <string>

#include "ingest/wire/otlp_model.h"

namespace kvasir::ingest {

/// string as is; true/false; decimal; shortest decimal; base64; compact JSON for arrays and maps (keys sorted).
std::string otlp_text(const OtlpValue& value);
/// Lower-case hex; "" if every byte is zero.
std::string otlp_hex(std::string_view bytes);

}  // namespace kvasir::ingest
