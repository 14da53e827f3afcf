#include "chunks/table_writer.h"

#include <utility>

#include "chunks/int_codec.h"

namespace kvasir::chunks {
namespace {

void write_template(const TemplateDraft& draft, ByteWriter& meta) {
  meta.varint(draft.rows);
  meta.varint(draft.columns.size());
  std::size_t at = 0;
  for (const auto column : draft.columns) {
    const std::size_t mark = draft.skeleton.find('\0', at);
    meta.sized(std::string_view(draft.skeleton).substr(at, mark - at));
    meta.varint(column);
    at = mark + 1;
  }
  meta.sized(std::string_view(draft.skeleton).substr(at));
}

}  // namespace

void write_table(const TableBuilder& table, std::span<const std::int64_t> times, unsigned depth, TableTarget& target) {
  LineFactsBuilder* const facts = std::exchange(target.facts, nullptr);
  if (facts != nullptr) facts->begin(table);
  target.meta.varint(table.templates().size());
  for (const TemplateDraft& draft : table.templates()) write_template(draft, target.meta);
  std::string ids;
  encode_ints(table.template_ids(), ids);
  target.parts.dense(ids, target.meta);
  target.meta.varint(table.columns().size());
  std::vector<std::int64_t> value_times;
  for (std::uint16_t c = 0; c < table.columns().size(); ++c) {
    const ColumnDraft& column = table.columns()[c];
    target.meta.sized(column.key);
    if (column.values.empty()) continue;
    const std::vector<std::uint32_t> rows = table.rows_of(c);
    value_times.clear();
    for (const std::uint32_t row : rows) value_times.push_back(times[row]);
    const ColumnFacts written =
        write_column(column.values, rows.empty() ? times : std::span<const std::int64_t>(value_times), depth, target);
    if (facts != nullptr) facts->take(c, written);
  }
}

}  // namespace kvasir::chunks
