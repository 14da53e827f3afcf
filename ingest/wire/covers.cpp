#include "ingest/wire/covers.h"

#include <protozero/pbf_builder.hpp>
#include <protozero/pbf_reader.hpp>

namespace kvasir::ingest {
namespace {

using protozero::pbf_reader;

enum CoverField : std::uint32_t {
  kFile = 1, kPath = 2, kDevice = 3, kInode = 4, kHeadLength = 5, kHeadHash = 6, kCountsLines = 7, kEntries = 8,
  kStored = 9, kLeftOut = 10,
};
enum LeftOutField : std::uint32_t { kReason = 1, kLines = 2, kRanges = 3 };

constexpr std::uint32_t number(std::uint32_t field) {
  return protozero::tag_and_type(field, protozero::pbf_wire_type::varint);
}
constexpr std::uint32_t sized(std::uint32_t field) {
  return protozero::tag_and_type(field, protozero::pbf_wire_type::length_delimited);
}
constexpr std::uint32_t fixed(std::uint32_t field) {
  return protozero::tag_and_type(field, protozero::pbf_wire_type::fixed64);
}

Unexpected broken(std::string_view what) { return fail(ErrorCode::kCorruption, "covers: " + std::string(what)); }

std::string packed(const ByteRanges& ranges) {
  std::string out;
  ranges.append_to(out);
  return out;
}

Result<ByteRanges> read_ranges(pbf_reader& message) {
  const auto bytes = message.get_view();
  return ByteRanges::read({bytes.data(), bytes.size()});
}

Result<LeftOut> read_left_out(pbf_reader message) {
  LeftOut out;
  while (message.next()) {
    switch (message.tag_and_type()) {
      case sized(kReason): out.reason = message.get_string(); break;
      case number(kLines): out.lines = message.get_uint64(); break;
      case sized(kRanges): {
        KVASIR_TRY(out.ranges, read_ranges(message));
        break;
      }
      default: message.skip();
    }
  }
  if (out.reason.empty() || out.reason.size() > kCoverTextMax) return broken("reason");
  return out;
}

Result<FileCover> read_cover(pbf_reader message) {
  FileCover cover;
  while (message.next()) {
    switch (message.tag_and_type()) {
      case sized(kFile): cover.file = message.get_string(); break;
      case sized(kPath): cover.identity.path = message.get_string(); break;
      case number(kDevice): cover.identity.device = message.get_uint64(); break;
      case number(kInode): cover.identity.inode = message.get_uint64(); break;
      case number(kHeadLength): cover.identity.head_length = message.get_uint32(); break;
      case fixed(kHeadHash): cover.identity.head_hash = message.get_fixed64(); break;
      // get_bool() reads a byte before it looks for the end.
      case number(kCountsLines): cover.identity.counts_lines = message.get_uint64() != 0; break;
      case number(kEntries): cover.entries = message.get_uint64(); break;
      case sized(kStored): {
        KVASIR_TRY(cover.stored, read_ranges(message));
        break;
      }
      case sized(kLeftOut): {
        KVASIR_TRY(LeftOut left, read_left_out(message.get_message()));
        cover.left_out.push_back(std::move(left));
        break;
      }
      default: message.skip();
    }
  }
  if (cover.file.empty() || cover.file.size() > kCoverTextMax) return broken("file");
  if (cover.identity.path.size() > kCoverTextMax) return broken("path");
  if (cover.identity.head_length == 0) cover.identity.head_hash = 0;  // of nothing
  if (cover.left_out.size() > kCoverReasonsMax) return broken("too many reasons");
  return cover;
}

}  // namespace

std::string encode_covers(const std::vector<FileCover>& covers) {
  std::string out;
  protozero::pbf_writer request(out);
  for (const FileCover& cover : covers) {
    protozero::pbf_writer message(request, kCoversField);
    message.add_string(kFile, cover.file);
    message.add_string(kPath, cover.identity.path);
    message.add_uint64(kDevice, cover.identity.device);
    message.add_uint64(kInode, cover.identity.inode);
    if (cover.identity.head_length > 0) {
      message.add_uint32(kHeadLength, cover.identity.head_length);
      message.add_fixed64(kHeadHash, cover.identity.head_hash);
    }
    if (cover.identity.counts_lines) message.add_bool(kCountsLines, true);
    message.add_uint64(kEntries, cover.entries);
    message.add_bytes(kStored, packed(cover.stored));
    for (const LeftOut& left : cover.left_out) {
      protozero::pbf_writer inner(message, kLeftOut);
      inner.add_string(kReason, left.reason);
      inner.add_uint64(kLines, left.lines);
      inner.add_bytes(kRanges, packed(left.ranges));
    }
  }
  return out;
}

Result<std::vector<FileCover>> decode_covers(std::string_view fields) {
  std::vector<FileCover> covers;
  try {
    pbf_reader message(fields.data(), fields.size());
    while (message.next(kCoversField, protozero::pbf_wire_type::length_delimited)) {
      if (covers.size() >= kCoverFilesMax) return broken("too many files");
      KVASIR_TRY(FileCover cover, read_cover(message.get_message()));
      covers.push_back(std::move(cover));
    }
  } catch (const protozero::exception& error) {
    return broken(error.what());
  }
  return covers;
}

}  // namespace kvasir::ingest
