#include "cli/segments.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <vector>

#include <fmt/format.h>

#include "chunks/segment_inspect.h"
#include "common/filesystem.h"

namespace kvasir::cli {
namespace {

constexpr std::size_t kTemplatesShown = 10;

Result<std::shared_ptr<const chunks::SegmentReader>> open(const std::string& path) {
  KVASIR_TRY(auto file, posix_filesystem().open_random(path));
  return chunks::SegmentReader::open(std::move(file));
}

double ratio(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

void print_totals(const chunks::SegmentDescription& segment) {
  std::cout << fmt::format("format version {}, {} streams, {} blocks, {} stored, {} rows, {} line bytes, {} file bytes (1 : {:.2f})\n",
                           segment.format_version, segment.streams.size(), segment.entries.size(),
                           segment.blocks.size(), segment.rows, segment.line_bytes, segment.file_bytes,
                           ratio(segment.line_bytes, segment.file_bytes));
  const std::vector<std::pair<std::string_view, std::uint64_t>> parts{{"blocks", segment.block_bytes},
                                                                      {"ids", segment.id_bytes},
                                                                      {"id filters", segment.filter_bytes},
                                                                      {"trigrams", segment.trigram_bytes},
                                                                      {"index", segment.index_bytes}};
  for (const auto& [name, bytes] : parts) {
    std::cout << fmt::format("  {:<12} {:>12} bytes  {:5.1f} %\n", name, bytes, 100 * ratio(bytes, segment.file_bytes));
  }
}

// Where the bytes of all blocks went, largest first.
void print_columns(const chunks::SegmentDescription& segment) {
  std::map<std::pair<std::string, std::string>, chunks::ColumnDescription> totals;
  for (const auto& block : segment.blocks) {
    for (const auto& column : block.columns) {
      auto& total = totals[{column.key, column.type}];
      total.values += column.values;
      total.stored_bytes += column.stored_bytes;
    }
  }
  std::vector<std::pair<std::uint64_t, std::string>> rows;
  for (const auto& [name, total] : totals) {
    rows.emplace_back(total.stored_bytes, fmt::format("  {:<24} {:<12} {:>10} values {:>12} bytes\n", name.first,
                                                      name.second, total.values, total.stored_bytes));
  }
  std::sort(rows.rbegin(), rows.rend());
  std::cout << "columns\n";
  for (const auto& [bytes, text] : rows) std::cout << text;
}

void print_stored(const chunks::BlockDescription& block, std::size_t part, bool templates) {
  const auto& entry = block.entry;
  const std::uint64_t all = entry.stored_bytes + block.id_bytes + block.filter_bytes;
  std::cout << fmt::format("  {:>5} {} {}..{} {:>8} rows {:>10} -> {:>9} bytes (1 : {:.2f}): block {}, ids {}, filter {}",
                           part, entry.encoding == 0 ? "rows     " : "templates",
                           format_rfc3339(entry.first.timestamp), format_rfc3339(entry.last.timestamp), entry.rows,
                           entry.line_bytes, all, ratio(entry.line_bytes, all), entry.stored_bytes, block.id_bytes,
                           block.filter_bytes);
  if (block.slices > 1) std::cout << fmt::format(" shared by {} streams", block.slices);
  std::cout << "\n";
  for (std::size_t i = 0; templates && i < std::min(kTemplatesShown, block.templates.size()); ++i) {
    std::cout << "        " << block.templates[i] << "\n";
  }
}

void print_streams(const chunks::SegmentDescription& segment, bool templates) {
  auto entry = segment.entries.begin();
  for (std::size_t stream = 0; stream < segment.streams.size(); ++stream) {
    std::cout << segment.streams[stream].labels.to_string() << "\n";
    for (; entry != segment.entries.end() && entry->stream == stream; ++entry) {
      const auto& block = segment.blocks[entry->part];
      if (block.slices == 1) {
        print_stored(block, entry->part, templates);
      } else {
        std::cout << fmt::format("        slice     {}..{} {:>8} rows {:>10} bytes of shared block {}\n",
                                 format_rfc3339(entry->first.timestamp), format_rfc3339(entry->last.timestamp),
                                 entry->rows, entry->line_bytes, entry->part);
      }
    }
  }
}

void print_shared(const chunks::SegmentDescription& segment, bool templates) {
  bool any = false;
  for (std::size_t part = 0; part < segment.blocks.size(); ++part) {
    if (segment.blocks[part].slices == 1) continue;
    if (!any) std::cout << "shared blocks\n";
    any = true;
    print_stored(segment.blocks[part], part, templates);
  }
}

}  // namespace

Result<void> run_inspect(const InspectFlags& flags) {
  const auto opened = open(flags.path);
  if (!opened) return fail(opened.error().with_context(flags.path));
  const auto& segment = *opened;
  KVASIR_TRY(const auto description, chunks::describe_segment(*segment));
  print_totals(description);
  if (flags.columns) print_columns(description);
  print_streams(description, flags.templates);
  print_shared(description, flags.templates);
  return {};
}

Result<void> run_verify(const std::string& directory) {
  std::error_code error;
  std::vector<std::string> paths;
  for (std::filesystem::recursive_directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() == ".seg") paths.push_back(it->path());
  }
  if (error) return fail(ErrorCode::kIo, directory + ": " + error.message());
  std::sort(paths.begin(), paths.end());
  std::size_t damaged = 0;
  std::uint64_t bytes = 0;
  for (const auto& path : paths) {
    const auto segment = open(path);
    const auto verified = segment ? chunks::verify_segment(**segment) : Result<void>(Unexpected(segment.error()));
    if (segment) bytes += (*segment)->file_bytes();
    if (verified) continue;
    ++damaged;
    std::cout << path << ": " << verified.error().message() << "\n";
  }
  std::cout << fmt::format("{} segments, {} bytes read, {} damaged\n", paths.size(), bytes, damaged);
  if (damaged > 0) return fail(ErrorCode::kCorruption, fmt::format("{} damaged segments", damaged));
  return {};
}

}  // namespace kvasir::cli
