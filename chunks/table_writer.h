// table_writer.h -- writes a table: templates, template of each row, and each column in the smallest type that gives
// its texts back exactly.
//
// Source:   docs/formats/segment-v1.md section 5.
#pragma once

#include <cstdint>
#include <span>

#include "chunks/id_store.h"
#include "chunks/line_facts.h"
#include "chunks/parts.h"
#include "chunks/table_builder.h"
#include "common/bytes.h"

namespace kvasir::chunks {

/// Where a table goes.
struct TableTarget {
  ByteWriter& meta;
  PartWriter& parts;
  PendingIdStore& ids;
  LineFactsBuilder* facts = nullptr;  // is told of the columns of the next table, but not of tables inside
};

/// `times`: the entry timestamp of each row of the table.
void write_table(const TableBuilder& table, std::span<const std::int64_t> times, unsigned depth, TableTarget& target);

/// One column; `times` has one item per value. Defined in column_writer.cpp.
ColumnFacts write_column(std::span<const std::string_view> values, std::span<const std::int64_t> times, unsigned depth,
                  TableTarget& target);

}  // namespace kvasir::chunks
