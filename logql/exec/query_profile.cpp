#include "logql/query_profile.h"

namespace kvasir::logql {

const char* ScanProfile::name(Operator op) {
  static constexpr std::array<const char*, kOperators> kNames = {"select", "footers", "times", "open",  "literals",
                                                                 "fields", "columns", "lines", "result"};
  return kNames[op];
}

}  // namespace kvasir::logql
