// verify.h -- `kvasir-agent verify FILE`: is every byte of a file durably in the servers?
//
// Rule:     the server's ledger says which bytes of which file its pushes were made of. Meant is the file with this
//           inode, or one that had this name or the one before its rotation, if it begins with the same bytes. All of
//           it up to the last newline must be stored, or left out by a stage of the pipeline.
// Several:  every client is asked, and every tenant that lines of the file go to.
// Source:   docs/formats/ledger-v1.md, docs/agent/delivery.md
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ingest/wire/covers.h"
#include "promtail-agent/config/flags.h"

namespace kvasir::agent {

/// What a server's ledger says of a file.
struct FileProof {
  bool known = false;                 // it has the file
  bool counts_lines = false;          // all numbers count lines (a compressed file), not bytes
  std::uint64_t size = 0;             // up to and with the last newline
  std::uint64_t rest = 0;             // behind it: no line yet
  std::uint64_t entries = 0;          // stored
  ingest::ByteRanges settled, again;
  std::vector<ingest::LeftOut> left_out;
  std::string changed;                // how, if the file is not what was sent
  ingest::ByteRanges gaps() const { return settled.gaps(size); }
  /// Nothing is missing but what a stage of the pipeline was told to leave out.
  bool whole() const;
};

/// Compares the file with the answers of a ledger (GET /api/v1/ledger). Errors: io, unavailable (no such answer).
Result<FileProof> prove(const std::string& path, const std::vector<std::string>& answers);

/// Asks, prints, and gives the exit code: 0 whole, 1 not, 2 if it cannot be told. `lines`: looks up every line too.
int run_verify(const Config& config, const std::string& path, bool lines);

}  // namespace kvasir::agent
