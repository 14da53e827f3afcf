#include "ingest/manifest.h"

#include <algorithm>

#include "common/bytes.h"
#include "common/crc32c.h"

namespace kvasir::ingest {
namespace {

constexpr std::string_view kMagic = "KVMF";
constexpr std::uint16_t kMajor = 1;
constexpr std::size_t kHeaderBytes = 8;
constexpr std::size_t kEditHeaderBytes = 8;
constexpr std::uint64_t kEditBytesMax = std::uint64_t{64} << 20;
constexpr std::uint64_t kManifestBytesMax = std::uint64_t{1} << 30;
constexpr std::uint64_t kRewriteBytesMin = 64 << 10;

enum class Tag : std::uint8_t {
  kSegmentAdded = 1,
  kSegmentRemoved = 2,
  kDelete = 3,
  kDeleteRemoved = 4,
  kSequenceFloor = 5,
  kNextSegmentId = 6,
  kFlushedFloor = 7,
};
constexpr std::uint8_t kMaySkip = 0x80;

Unexpected damaged(std::string_view what) { return fail(ErrorCode::kCorruption, "manifest: " + std::string(what)); }

void put_field(ByteWriter& writer, Tag tag, std::string_view body) {
  writer.fixed(static_cast<std::uint8_t>(tag));
  writer.sized(body);
}

void put_number(ByteWriter& writer, Tag tag, std::uint64_t value) {
  std::string body;
  ByteWriter(body).varint(value);
  put_field(writer, tag, body);
}

std::string encode_segment(const SegmentInfo& info) {
  std::string body;
  ByteWriter writer(body);
  for (const std::uint64_t n : {info.id, info.rows, info.line_bytes, info.file_bytes}) writer.varint(n);
  writer.zigzag(info.first.value);
  writer.zigzag(info.last.value);
  for (const std::uint64_t n : {info.first_sequence, info.last_sequence, std::uint64_t{info.merges}}) writer.varint(n);
  return body;
}

SegmentInfo decode_segment(ByteReader& reader) {
  SegmentInfo info;
  info.id = reader.varint();
  info.rows = reader.varint();
  info.line_bytes = reader.varint();
  info.file_bytes = reader.varint();
  info.first = {reader.zigzag()};
  info.last = {reader.zigzag()};
  info.first_sequence = reader.varint();
  info.last_sequence = reader.varint();
  info.merges = static_cast<std::uint32_t>(reader.varint());
  return info;
}

std::string encode_delete(const DeleteRequest& request) {
  std::string body;
  ByteWriter writer(body);
  writer.sized(request.id);
  writer.sized(request.query);
  for (const TimestampNs t : {request.start, request.end, request.created}) writer.zigzag(t.value);
  writer.varint(request.percent);
  return body;
}

DeleteRequest decode_delete(ByteReader& reader) {
  DeleteRequest request;
  request.id = reader.sized();
  request.query = reader.sized();
  request.start = {reader.zigzag()};
  request.end = {reader.zigzag()};
  request.created = {reader.zigzag()};
  request.percent = static_cast<std::uint32_t>(reader.varint());
  return request;
}

void decode_field(Tag tag, ByteReader& body, DecodedEdit& out) {
  switch (tag) {
    case Tag::kSegmentAdded: out.edit.added.push_back(decode_segment(body)); return;
    case Tag::kSegmentRemoved: out.edit.removed.push_back(body.varint()); return;
    case Tag::kDelete: out.edit.deletes.push_back(decode_delete(body)); return;
    case Tag::kDeleteRemoved: out.edit.deletes_removed.emplace_back(body.sized()); return;
    case Tag::kSequenceFloor: out.edit.sequence_floor = body.varint(); return;
    case Tag::kFlushedFloor: out.edit.flushed_floor = body.varint(); return;
    case Tag::kNextSegmentId: out.next_segment_id = body.varint(); return;
  }
}

std::string framed(std::string_view payload) {
  std::string out;
  ByteWriter writer(out);
  writer.fixed(static_cast<std::uint32_t>(payload.size()));
  writer.fixed(crc32c(payload));
  writer.raw(payload);
  return out;
}

std::string file_header() {
  std::string out(kMagic);
  ByteWriter writer(out);
  writer.fixed(kMajor);
  writer.fixed(std::uint16_t{0});
  return out;
}

ManifestEdit whole(const ManifestState& state) {
  ManifestEdit edit;
  for (const auto& [id, info] : state.segments) edit.added.push_back(info);
  edit.deletes = state.deletes;
  edit.sequence_floor = state.sequence_floor;
  edit.flushed_floor = state.flushed_floor;
  return edit;
}

/// The payload of the edit that begins here, if it is whole.
std::optional<std::string_view> whole_edit(ByteReader reader) {
  const auto size = reader.fixed<std::uint32_t>();
  const auto crc = reader.fixed<std::uint32_t>();
  const auto payload = reader.raw(size);
  const bool is_whole = reader.ok() && size > 0 && size <= kEditBytesMax && crc32c(payload) == crc;
  return is_whole ? std::optional(payload) : std::nullopt;
}

/// The next edit's payload. An empty optional: what is left is a torn last edit, or nothing. Only what is appended last
/// can be torn: with a whole edit anywhere behind it, it is damage.
Result<std::optional<std::string_view>> next_edit(ByteReader& reader) {
  if (const auto payload = whole_edit(reader)) {
    (void)reader.raw(2 * sizeof(std::uint32_t) + payload->size());
    return payload;
  }
  const std::string_view left = reader.rest();
  for (std::size_t at = 1; at < left.size(); ++at) {
    const auto behind = whole_edit(ByteReader(left.substr(at)));
    if (behind && decode_manifest_edit(*behind)) return damaged("size or checksum of an edit");
  }
  return std::optional<std::string_view>();
}

bool is_plain(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

}  // namespace

Result<void> ManifestState::apply(const ManifestEdit& edit) {
  for (const std::uint64_t id : edit.removed) {
    if (!segments.contains(id)) return damaged("removes segment " + std::to_string(id) + ", which is not there");
  }
  for (const std::uint64_t id : edit.removed) segments.erase(id);
  for (const auto& info : edit.added) {
    if (!segments.emplace(info.id, info).second) return damaged("adds segment " + std::to_string(info.id) + " twice");
    next_segment_id = std::max(next_segment_id, info.id + 1);
    sequence_floor = std::max(sequence_floor, info.last_sequence + 1);
  }
  const auto with_id = [&](const std::string& id) {
    return std::find_if(deletes.begin(), deletes.end(), [&](const auto& request) { return request.id == id; });
  };
  for (const auto& request : edit.deletes) {
    const auto known = with_id(request.id);
    if (known == deletes.end()) {
      deletes.push_back(request);
    } else {
      *known = request;
    }
  }
  for (const auto& id : edit.deletes_removed) {
    if (const auto known = with_id(id); known != deletes.end()) deletes.erase(known);
  }
  sequence_floor = std::max({sequence_floor, edit.sequence_floor, edit.flushed_floor});
  flushed_floor = std::max(flushed_floor, edit.flushed_floor);
  return {};
}

std::string encode_manifest_edit(const ManifestEdit& edit, std::uint64_t next_segment_id) {
  std::string out;
  ByteWriter writer(out);
  for (const std::uint64_t id : edit.removed) put_number(writer, Tag::kSegmentRemoved, id);
  for (const auto& info : edit.added) put_field(writer, Tag::kSegmentAdded, encode_segment(info));
  for (const auto& request : edit.deletes) put_field(writer, Tag::kDelete, encode_delete(request));
  for (const auto& id : edit.deletes_removed) {
    std::string body;
    ByteWriter(body).sized(id);
    put_field(writer, Tag::kDeleteRemoved, body);
  }
  if (edit.sequence_floor > 0) put_number(writer, Tag::kSequenceFloor, edit.sequence_floor);
  if (edit.flushed_floor > 0) put_number(writer, Tag::kFlushedFloor, edit.flushed_floor);
  if (next_segment_id > 0) put_number(writer, Tag::kNextSegmentId, next_segment_id);
  return out;
}

Result<DecodedEdit> decode_manifest_edit(std::string_view payload) {
  DecodedEdit out;
  ByteReader reader(payload);
  while (!reader.at_end()) {
    const auto tag = reader.fixed<std::uint8_t>();
    const auto body = reader.sized();
    if (!reader.ok()) return damaged("field of an edit");
    if (tag & kMaySkip) continue;
    if (tag < static_cast<std::uint8_t>(Tag::kSegmentAdded) || tag > static_cast<std::uint8_t>(Tag::kFlushedFloor)) {
      return fail(ErrorCode::kUnsupported, "manifest: field of a newer version, tag " + std::to_string(tag));
    }
    ByteReader inside(body);
    decode_field(static_cast<Tag>(tag), inside, out);
    if (!inside.ok() || !inside.at_end()) return damaged("field with tag " + std::to_string(tag));
  }
  return out;
}

Result<ManifestFile> read_manifest(std::string_view bytes) {
  ByteReader reader(bytes);
  const auto magic = reader.raw(kMagic.size());
  const auto major = reader.fixed<std::uint16_t>();
  (void)reader.fixed<std::uint16_t>();
  if (!reader.ok() || magic != kMagic) return damaged("magic");
  if (major != kMajor) return fail(ErrorCode::kUnsupported, "manifest: version " + std::to_string(major));
  ManifestFile file;
  for (;;) {
    file.sound_bytes = bytes.size() - reader.remaining();
    KVASIR_TRY(const auto payload, next_edit(reader));
    file.torn = !payload && !reader.at_end();
    if (!payload) return file;
    KVASIR_TRY(const auto decoded, decode_manifest_edit(*payload));
    KVASIR_CHECK_OK(file.state.apply(decoded.edit));
    file.state.next_segment_id = std::max(file.state.next_segment_id, decoded.next_segment_id);
  }
}

std::string manifest_of_deletes(const ManifestState& state) {
  ManifestEdit edit;
  edit.deletes = state.deletes;
  edit.flushed_floor = state.flushed_floor;
  return file_header() + framed(encode_manifest_edit(edit, 1));
}

Result<std::unique_ptr<Manifest>> Manifest::open(Path path, Filesystem& filesystem) {
  auto manifest = std::make_unique<Manifest>(std::move(path), filesystem);
  KVASIR_TRY(const auto status, filesystem.status(manifest->path_));
  if (!status) return manifest;
  KVASIR_TRY(const auto bytes, filesystem.read_all(manifest->path_, kManifestBytesMax));
  auto file = read_manifest(bytes);
  if (!file) return fail(file.error().with_context("read " + manifest->path_));
  manifest->state_ = std::move(file->state);
  manifest->was_torn_ = file->torn;
  return manifest;  // rewritten before the first edit: that also drops a torn end
}

Result<void> Manifest::rewrite() {
  const std::string edit = encode_manifest_edit(whole(state_), state_.next_segment_id);
  const std::string bytes = file_header() + framed(edit);
  KVASIR_CHECK_OK(filesystem_.make_directories(parent_directory(path_)));
  KVASIR_CHECK_OK(write_atomically(filesystem_, path_, bytes));
  KVASIR_TRY(file_, filesystem_.open_append(path_));
  file_bytes_ = live_bytes_ = bytes.size();
  return {};
}

Result<void> Manifest::apply(const ManifestEdit& edit) {
  const bool long_and_stale = file_bytes_ > kRewriteBytesMin && file_bytes_ > 4 * live_bytes_;
  if (file_ == nullptr || long_and_stale) {
    file_ = nullptr;
    KVASIR_CHECK_OK(rewrite());
  }
  ManifestState next = state_;
  KVASIR_CHECK_OK(next.apply(edit));
  const std::string bytes = framed(encode_manifest_edit(edit, state_.next_segment_id));
  auto written = file_->append(bytes);
  if (written) written = file_->sync();
  if (!written) {
    file_ = nullptr;
    return written;
  }
  state_ = std::move(next);
  file_bytes_ += bytes.size();
  live_bytes_ = kHeaderBytes + kEditHeaderBytes + 64 * (1 + state_.segments.size() + state_.deletes.size());
  return {};
}

std::string escape_tenant(std::string_view tenant) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string name;
  for (const char c : tenant) {
    if (is_plain(c)) {
      name += c;
    } else {
      name += '%';
      name += kDigits[static_cast<unsigned char>(c) >> 4];
      name += kDigits[static_cast<unsigned char>(c) & 15];
    }
  }
  return name;
}

std::string unescape_tenant(std::string_view name) {
  std::string tenant;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const int high = i + 2 < name.size() && name[i] == '%' ? hex_digit(name[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(name[i + 2]) : -1;
    if (low >= 0) {
      tenant += static_cast<char>(high << 4 | low);
      i += 2;
    } else {
      tenant += name[i];
    }
  }
  return tenant;
}

}  // namespace kvasir::ingest
