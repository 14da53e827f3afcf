// print.h -- how answers look in a terminal.
//
// Shape:    entries: `time {labels} line` (default), the bare line (raw), one JSON object a line (jsonl). Metrics:
//           indented JSON, or a table (`table`, and `default` on a terminal).
// Use:      labels that every stream of an answer shares are taken out and shown once, on standard error, unless quiet.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "common/labels.h"
#include "common/result.h"
#include "logql/query_result.h"

namespace kvasir::cli {

enum class OutputMode { kDefault, kRaw, kJsonl, kTable };

struct PrintOptions {
  OutputMode mode = OutputMode::kDefault;
  bool terminal = false;              // standard output is one
  bool colour = false;                // by stream
  bool utc = false;                   // else local time
  bool nanoseconds = false;           // timestamps with all digits
  bool quiet = false;
  bool no_labels = false;
  bool include_common_labels = false;
  std::vector<std::string> exclude_labels;
  std::vector<std::string> include_labels;  // only these, if any
  std::size_t labels_length = 0;      // pad labels to this width
};

Result<OutputMode> parse_output_mode(std::string_view name);

/// One entry together with the labels of its stream.
struct PrintEntry {
  const Labels* labels;
  const logql::ResultEntry* entry;
};

class EntryPrinter {
 public:
  EntryPrinter(PrintOptions options, std::ostream& out) : options_(std::move(options)), out_(out) {}

  /// Shows the labels that all streams share on `messages` and leaves them out of the lines that follow.
  void set_common_labels(const std::vector<logql::ResultStream>& streams, std::ostream& messages);
  void print(const PrintEntry& item);

 private:
  std::string label_text(const Labels& labels) const;
  std::string time_text(TimestampNs timestamp) const;

  PrintOptions options_;
  std::ostream& out_;
  Labels common_;
  std::size_t width_ = 0;
};

/// Entries of all streams, one stream after the other.
std::vector<PrintEntry> in_answer_order(const std::vector<logql::ResultStream>& streams);
/// Entries of all streams in time order, oldest first if `forward`.
std::vector<PrintEntry> in_time_order(const std::vector<logql::ResultStream>& streams, bool forward);

using Rows = std::vector<std::vector<std::string>>;
/// A table with its columns padded; each row has as many cells as there are names.
void print_columns(const std::vector<std::string>& names, const Rows& rows, std::ostream& out);

/// Vector, Matrix, Scalar or Table.
void print_metric(const logql::QueryResult& result, const PrintOptions& options, std::ostream& out);

}  // namespace kvasir::cli
