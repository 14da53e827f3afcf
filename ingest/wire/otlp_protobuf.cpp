#include <protozero/pbf_reader.hpp>

#include "ingest/wire/otlp.h"
#include "ingest/wire/otlp_mapper.h"

namespace kvasir::ingest {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;
using protozero::tag_and_type;

struct Failed {
  Error error;
};

void require(const Result<void>& result) {
  if (!result) throw Failed{result.error()};
}

std::string_view view(protozero::data_view text) { return {text.data(), text.size()}; }

/// How deep a value lies, and how many more may be in memory together with it: those of one record or resource.
struct Nesting {
  int depth;
  const DecodedPush& push;
  std::uint64_t& values;

  Nesting below() const { return {depth + 1, push, values}; }
  void count_value() const {
    if (++values > push.made_bytes_max / sizeof(OtlpAttribute)) throw Failed{push.too_much()};
  }
};

OtlpAttribute read_attribute(pbf_reader message, const Nesting& nesting);

OtlpValue read_value(pbf_reader message, const Nesting& nesting) {
  nesting.count_value();
  if (nesting.depth > kOtlpDepthMax)
    throw Failed{Error(ErrorCode::kInvalidArgument, "attribute value nested too deep")};
  OtlpValue value;
  using Kind = OtlpValue::Kind;
  while (message.next()) {
    switch (message.tag_and_type()) {
      case tag_and_type(1, pbf_wire_type::length_delimited):
        value.kind = Kind::kString, value.text = view(message.get_view());
        break;
      case tag_and_type(2, pbf_wire_type::varint):  // get_bool() reads a byte before it looks for the end
        value.kind = Kind::kBool, value.boolean = message.get_uint64() != 0;
        break;
      case tag_and_type(3, pbf_wire_type::varint): value.kind = Kind::kInt, value.integer = message.get_int64(); break;
      case tag_and_type(4, pbf_wire_type::fixed64):
        value.kind = Kind::kDouble, value.number = message.get_double();
        break;
      case tag_and_type(5, pbf_wire_type::length_delimited): {
        value.kind = Kind::kArray;
        pbf_reader list = message.get_message();
        while (list.next(1, pbf_wire_type::length_delimited))
          value.items.push_back(read_value(list.get_message(), nesting.below()));
        break;
      }
      case tag_and_type(6, pbf_wire_type::length_delimited): {
        value.kind = Kind::kMap;
        pbf_reader list = message.get_message();
        while (list.next(1, pbf_wire_type::length_delimited))
          value.pairs.push_back(read_attribute(list.get_message(), nesting.below()));
        break;
      }
      case tag_and_type(7, pbf_wire_type::length_delimited):
        value.kind = Kind::kBytes, value.text = view(message.get_view());
        break;
      default: message.skip();
    }
  }
  return value;
}

OtlpAttribute read_attribute(pbf_reader message, const Nesting& nesting) {
  nesting.count_value();
  OtlpAttribute attribute;
  while (message.next()) {
    switch (message.tag_and_type()) {
      case tag_and_type(1, pbf_wire_type::length_delimited): attribute.key = view(message.get_view()); break;
      case tag_and_type(2, pbf_wire_type::length_delimited):
        attribute.value = read_value(message.get_message(), nesting);
        break;
      default: message.skip();
    }
  }
  return attribute;
}

OtlpRecord read_record(pbf_reader message, const DecodedPush& push) {
  OtlpRecord record;
  std::uint64_t values = 0;
  const Nesting top{0, push, values};
  while (message.next()) {
    switch (message.tag_and_type()) {
      case tag_and_type(1, pbf_wire_type::fixed64): record.time_unix_nano = message.get_fixed64(); break;
      case tag_and_type(2, pbf_wire_type::varint): record.severity_number = message.get_int32(); break;
      case tag_and_type(3, pbf_wire_type::length_delimited): record.severity_text = view(message.get_view()); break;
      case tag_and_type(5, pbf_wire_type::length_delimited):
        record.body = read_value(message.get_message(), top);
        break;
      case tag_and_type(6, pbf_wire_type::length_delimited):
        record.attributes.push_back(read_attribute(message.get_message(), top));
        break;
      case tag_and_type(7, pbf_wire_type::varint): record.dropped_attributes_count = message.get_uint32(); break;
      case tag_and_type(8, pbf_wire_type::fixed32): record.flags = message.get_fixed32(); break;
      case tag_and_type(9, pbf_wire_type::length_delimited): record.trace_id = view(message.get_view()); break;
      case tag_and_type(10, pbf_wire_type::length_delimited): record.span_id = view(message.get_view()); break;
      case tag_and_type(11, pbf_wire_type::fixed64): record.observed_time_unix_nano = message.get_fixed64(); break;
      default: message.skip();
    }
  }
  return record;
}

OtlpScope read_scope(pbf_reader message, const DecodedPush& push) {
  OtlpScope scope;
  std::uint64_t values = 0;
  const Nesting top{0, push, values};
  while (message.next()) {
    switch (message.tag_and_type()) {
      case tag_and_type(1, pbf_wire_type::length_delimited): scope.name = view(message.get_view()); break;
      case tag_and_type(2, pbf_wire_type::length_delimited): scope.version = view(message.get_view()); break;
      case tag_and_type(3, pbf_wire_type::length_delimited):
        scope.attributes.push_back(read_attribute(message.get_message(), top));
        break;
      case tag_and_type(4, pbf_wire_type::varint): scope.dropped_attributes_count = message.get_uint32(); break;
      default: message.skip();
    }
  }
  return scope;
}

/// The scope may stand behind its records: it is looked for first.
void read_scope_logs(pbf_reader message, OtlpMapper& mapper, const DecodedPush& push) {
  OtlpScope scope;
  pbf_reader first = message;
  while (first.next(1, pbf_wire_type::length_delimited)) scope = read_scope(first.get_message(), push);
  require(mapper.begin_scope(scope));
  while (message.next(2, pbf_wire_type::length_delimited)) {
    require(mapper.add(read_record(message.get_message(), push)));
  }
}

void read_resource_logs(pbf_reader message, OtlpMapper& mapper, const DecodedPush& push) {
  OtlpAttributes attributes;
  std::uint64_t values = 0;
  const Nesting top{0, push, values};
  pbf_reader first = message;
  while (first.next(1, pbf_wire_type::length_delimited)) {
    pbf_reader resource = first.get_message();
    while (resource.next(1, pbf_wire_type::length_delimited)) {
      attributes.push_back(read_attribute(resource.get_message(), top));
    }
  }
  require(mapper.begin_resource(attributes));
  while (message.next(2, pbf_wire_type::length_delimited)) read_scope_logs(message.get_message(), mapper, push);
}

}  // namespace

Result<void> decode_otlp_protobuf(const OtlpConfig& config, TimestampNs now, DecodedPush& push) {
  if (push.body.size() > UINT32_MAX) return fail(ErrorCode::kLimitExceeded, "message larger than 4 GiB");
  KVASIR_TRY(OtlpMapper mapper, OtlpMapper::create(config, now, true, push));
  try {
    pbf_reader request(push.body.data(), push.body.size());
    while (request.next(1, pbf_wire_type::length_delimited)) read_resource_logs(request.get_message(), mapper, push);
  } catch (const Failed& failed) {
    return fail(failed.error);
  } catch (const protozero::end_of_buffer_exception&) {
    return fail(ErrorCode::kInvalidArgument, "unexpected EOF");
  } catch (const protozero::exception& error) {
    return fail(ErrorCode::kInvalidArgument, std::string("proto: ") + error.what());
  }
  mapper.finish();
  return {};
}

}  // namespace kvasir::ingest
