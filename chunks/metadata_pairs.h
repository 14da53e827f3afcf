// metadata_pairs.h -- structured metadata whose names fit no template, as one text: count, then sized names and values.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/labels.h"

namespace kvasir::chunks {

std::string join_pairs(std::span<const LabelView> pairs);
/// Appends views into `text`. False: not such a text.
bool split_pairs(std::string_view text, std::vector<LabelView>& pairs);

}  // namespace kvasir::chunks
