// nearest_word.h -- which known word was meant by one that is not known.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace kvasir {

/// The closest of `words` by edits of single characters, when it is close enough to be meant.
std::optional<std::string> nearest_word(std::string_view word, std::span<const std::string> words);

}  // namespace kvasir
