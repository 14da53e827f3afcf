// verify_lines.h -- looks every line of a file up in the server: what `kvasir-agent verify -lines` does, and what is
// left where the server keeps no ledger.
//
// Rule:     the file goes through the pipeline of the job whose static target reads it; what comes out is looked up in
//           the server of the first client, stream by stream, line by line with its count. A rotated file
//           (app.log.3.gz) is looked up under the name it had. Where no static target fits, the pipeline of the first
//           job with files is used, and `{filename="..."}`.
// Not told: whether something is there too often: other files had the same name. Lines past max_line_size and lines
//           that are not UTF-8 are counted and not looked up. Stages that drop at random or by time may make lines look
//           missing.
// Time:     from a day before the oldest of the file's times and its entries' stamps, at most 30 days back, to an hour
//           from now.
// Memory:   8 bytes for each line of the file and of the answer.
#pragma once

#include <set>
#include <string>

#include "promtail-agent/config/flags.h"

namespace kvasir::agent {

struct LinesReport {
  std::uint64_t lines = 0;      // that must be there
  std::uint64_t missing = 0;
  std::uint64_t unchecked = 0;
  std::vector<std::string> examples;  // of missing lines
  bool whole() const { return missing == 0; }
};

/// Errors: io for the file, those of the HTTP client, unavailable for an answer that is none.
Result<LinesReport> verify_lines(const Config& config, const std::string& path);

/// The tenants that lines of the file go to.
Result<std::set<std::string>> tenants_of(const Config& config, const std::string& path);

/// `app.log.3.gz`, `app.log.3`, `app.log`, `app`: names that a file may have had.
std::vector<std::string> earlier_names(std::string path);

}  // namespace kvasir::agent
