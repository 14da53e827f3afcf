// metadata_name.h -- the names under which attributes and structured metadata are stored.
//
// Rule:     runs of characters outside [A-Za-z0-9] become one `_`; a name in `__` wrappers keeps them; a leading digit
//           gets `key_` in front. `a.b`, `a__b` -> `a_b`; `__r` -> `_r`; `__a.b__` -> `__a_b__`; `1a` -> `key_1a`.
#pragma once

#include <string_view>

#include "ingest/wire/text_arena.h"

namespace kvasir::ingest {

/// The name itself if it is already in form, else a new one in the arena. "" for a name of nothing but underscores or
/// no bytes: such a name cannot be stored.
std::string_view metadata_name(std::string_view name, TextArena& arena);

}  // namespace kvasir::ingest
