// segments.h -- looks into segment files: `inspect` for people, `verify` for scrubbing a data folder.
//
// Errors:   io and corruption with the file's name. verify goes on after a damaged file and counts.
#pragma once

#include <string>

#include "common/result.h"

namespace kvasir::cli {

struct InspectFlags {
  std::string path;
  bool columns = false;    // of every block, not only totals
  bool templates = false;
};

Result<void> run_inspect(const InspectFlags& flags);

/// Every file that ends in .seg below the folder is read whole. An error if any is damaged.
Result<void> run_verify(const std::string& directory);

}  // namespace kvasir::cli
