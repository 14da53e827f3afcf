#include "ingest/wire/push_protobuf.h"

#include <snappy.h>

#include <protozero/pbf_builder.hpp>
#include <protozero/pbf_reader.hpp>
#include <limits>

#include "ingest/wire/covers.h"

namespace kvasir::ingest {
namespace {

using protozero::pbf_reader;

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::uint64_t kExpansionMax = 22;   // a three-byte snappy copy gives at most 64 bytes
constexpr std::uint64_t kExpansionSlack = 64;

/// Thrown inside this file only.
struct TooMuch {};

void check_size(const DecodedPush& push) {
  if (push.is_too_much()) throw TooMuch();
}

std::string_view view(protozero::data_view text) { return {text.data(), text.size()}; }

TimestampNs make_timestamp(std::int64_t seconds, std::int64_t nanos) {
  std::int64_t out = 0;
  if (__builtin_mul_overflow(seconds, kNanosPerSecond, &out) || __builtin_add_overflow(out, nanos, &out)) {
    return seconds < 0 ? TimestampNs::min() : TimestampNs::max();
  }
  return {out};
}

TimestampNs read_timestamp(pbf_reader message) {
  std::int64_t seconds = 0, nanos = 0;
  while (message.next()) {
    switch (message.tag_and_type()) {
      case protozero::tag_and_type(1, protozero::pbf_wire_type::varint): seconds = message.get_int64(); break;
      case protozero::tag_and_type(2, protozero::pbf_wire_type::varint): nanos = message.get_int32(); break;
      default: message.skip();
    }
  }
  return make_timestamp(seconds, nanos);
}

LabelView read_pair(pbf_reader message) {
  LabelView pair;
  while (message.next()) {
    switch (message.tag_and_type()) {
      case protozero::tag_and_type(1, protozero::pbf_wire_type::length_delimited):
        pair.name = view(message.get_view());
        break;
      case protozero::tag_and_type(2, protozero::pbf_wire_type::length_delimited):
        pair.value = view(message.get_view());
        break;
      default: message.skip();
    }
  }
  return pair;
}

void read_entry(pbf_reader message, DecodedPush& push) {
  DecodedEntry entry;
  entry.metadata_begin = static_cast<std::uint32_t>(push.metadata.size());
  while (message.next()) {
    switch (message.tag_and_type()) {
      case protozero::tag_and_type(1, protozero::pbf_wire_type::length_delimited):
        entry.timestamp = read_timestamp(message.get_message());
        break;
      case protozero::tag_and_type(2, protozero::pbf_wire_type::length_delimited):
        entry.line = view(message.get_view());
        break;
      case protozero::tag_and_type(3, protozero::pbf_wire_type::length_delimited):
        push.metadata.push_back(read_pair(message.get_message()));
        check_size(push);
        break;
      default: message.skip();
    }
  }
  entry.metadata_count = static_cast<std::uint32_t>(push.metadata.size()) - entry.metadata_begin;
  push.entries.push_back(entry);
  check_size(push);
}

void read_stream(pbf_reader message, DecodedPush& push) {
  DecodedStream stream;
  stream.entry_begin = static_cast<std::uint32_t>(push.entries.size());
  while (message.next()) {
    switch (message.tag_and_type()) {
      case protozero::tag_and_type(1, protozero::pbf_wire_type::length_delimited):
        stream.labels = view(message.get_view());
        break;
      case protozero::tag_and_type(2, protozero::pbf_wire_type::length_delimited):
        read_entry(message.get_message(), push);
        break;
      default: message.skip();
    }
  }
  stream.entry_count = static_cast<std::uint32_t>(push.entries.size()) - stream.entry_begin;
  push.streams.push_back(stream);
  check_size(push);
}

void write_entry(protozero::pbf_writer& stream, const EntryView& entry) {
  protozero::pbf_writer out(stream, 2);
  std::int64_t seconds = entry.timestamp.value / kNanosPerSecond;
  std::int64_t nanos = entry.timestamp.value % kNanosPerSecond;
  if (nanos < 0) {
    nanos += kNanosPerSecond;
    --seconds;
  }
  std::string timestamp;  // short enough to need no memory; written even when empty, or an empty entry would vanish
  protozero::pbf_writer time(timestamp);
  if (seconds != 0) time.add_int64(1, seconds);
  if (nanos != 0) time.add_int32(2, static_cast<std::int32_t>(nanos));
  out.add_message(1, timestamp);
  if (!entry.line.empty()) out.add_string(2, entry.line.data(), entry.line.size());
  for (const auto& [name, value] : entry.metadata) {
    protozero::pbf_writer pair(out, 3);
    pair.add_string(1, name.data(), name.size());
    pair.add_string(2, value.data(), value.size());
  }
}

}  // namespace

Result<void> decode_push_snappy(std::string_view compressed, std::uint64_t limit_bytes, DecodedPush& push) {
  std::size_t declared = 0;
  const auto corrupt = [] { return fail(ErrorCode::kInvalidArgument, "snappy: corrupt input"); };
  if (!snappy::GetUncompressedLength(compressed.data(), compressed.size(), &declared)) return corrupt();
  if (declared > limit_bytes) {
    return fail(ErrorCode::kLimitExceeded, "decompressed message size too large than max (" + std::to_string(declared) +
                                               " vs " + std::to_string(limit_bytes) + ")");
  }
  if (declared > compressed.size() * kExpansionMax + kExpansionSlack) return corrupt();
  push.body.resize(declared);
  if (!snappy::RawUncompress(compressed.data(), compressed.size(), push.body.data())) return corrupt();
  return decode_push_protobuf(push);
}

Result<void> decode_push_protobuf(DecodedPush& push) {
  if (push.body.size() > std::numeric_limits<std::uint32_t>::max()) {
    return fail(ErrorCode::kLimitExceeded, "message larger than 4 GiB");
  }
  try {
    pbf_reader message(push.body.data(), push.body.size());
    while (message.next()) {
      if (message.tag_and_type() == protozero::tag_and_type(1, protozero::pbf_wire_type::length_delimited)) {
        read_stream(message.get_message(), push);
      } else if (message.tag_and_type() ==
                 protozero::tag_and_type(kCoversField, protozero::pbf_wire_type::length_delimited)) {
        const auto bytes = message.get_view();
        protozero::pbf_writer(push.covers).add_message(kCoversField, bytes.data(), bytes.size());
      } else {
        message.skip();
      }
    }
  } catch (const TooMuch&) {
    return fail(push.too_much());
  } catch (const protozero::end_of_buffer_exception&) {
    return fail(ErrorCode::kInvalidArgument, "unexpected EOF");
  } catch (const protozero::exception& error) {
    return fail(ErrorCode::kInvalidArgument, std::string("proto: ") + error.what());
  }
  return {};
}

std::string encode_push_protobuf(std::span<const WireStream> streams) {
  std::string out;
  std::size_t guess = 0;
  for (const auto& stream : streams) {
    guess += stream.labels.size() + 16;
    for (const auto& entry : stream.entries) guess += entry.line.size() + 32;
  }
  out.reserve(guess);
  protozero::pbf_writer request(out);
  for (const auto& [labels, entries] : streams) {
    protozero::pbf_writer stream(request, 1);
    stream.add_string(1, labels.data(), labels.size());
    for (const auto& entry : entries) write_entry(stream, entry);
  }
  return out;
}

std::string encode_push_snappy(std::span<const WireStream> streams) {
  const std::string message = encode_push_protobuf(streams);
  std::string out;
  snappy::Compress(message.data(), message.size(), &out);
  return out;
}

}  // namespace kvasir::ingest
