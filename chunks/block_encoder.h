// block_encoder.h -- rows of one stream -> the stored bytes of one block, in a given encoding.
//
// Layout:   crc32c | encoding | rows | sizes | META frame | SMALL frame | parts
// Source:   docs/formats/segment-v1.md section 4.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "chunks/id_store.h"
#include "chunks/line_facts.h"
#include "common/entry.h"

namespace kvasir::chunks {

enum class Encoding : std::uint8_t {
  kRows = 0,     // lines one after the other through zstd
  kColumns = 1,  // templates and typed columns
};

/// Appends the block; gives the bytes of its timestamps and sequences, which are the same in either encoding. Id
/// columns leave their bytes in `ids`. `facts`, for kColumns, is told all of the lines; else null.
/// REQUIRES: 1 <= rows <= kBlockRowsMax.
std::size_t encode_block(std::span<const EntryView> rows, Encoding encoding, PendingIdStore& ids, std::string& out,
                         LineFactsBuilder* facts = nullptr);

}  // namespace kvasir::chunks
