#include "common/net/content_encoding.h"

#include <doctest/doctest.h>
#include <lz4frame.h>
#include <zlib.h>

namespace kvasir::net {
namespace {

std::string deflated(std::string_view data, int window) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, data.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string lz4_frame(std::string_view data) {
  std::string out(LZ4F_compressFrameBound(data.size(), nullptr), '\0');
  out.resize(LZ4F_compressFrame(out.data(), out.size(), data.data(), data.size(), nullptr));
  return out;
}

std::string sample() {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "line " + std::to_string(i * 7919) + " level=info\n";
  return text;
}

struct Packed {
  ContentEncoding encoding;
  std::string bytes;
};

std::vector<Packed> packings(std::string_view data) {
  return {{ContentEncoding::kGzip, compress(ContentEncoding::kGzip, data)},
          {ContentEncoding::kZstd, compress(ContentEncoding::kZstd, data)},
          {ContentEncoding::kDeflate, deflated(data, -15)},
          {ContentEncoding::kDeflate, deflated(data, 15)},
          {ContentEncoding::kLz4, lz4_frame(data)}};
}

TEST_CASE("what was packed comes back, up to the limit and not a byte more") {
  for (const std::string& data : {std::string(), std::string("x"), sample()}) {
    for (const auto& [encoding, bytes] : packings(data)) {
      CAPTURE(static_cast<int>(encoding));
      CHECK(decompress(encoding, bytes, data.size()).value() == data);
      CHECK(decompress(encoding, bytes, data.size() + 1).value() == data);
      if (data.empty()) continue;
      const auto refused = decompress(encoding, bytes, data.size() - 1);
      REQUIRE_FALSE(refused.has_value());
      CHECK(refused.error().code() == ErrorCode::kLimitExceeded);
    }
  }
}

TEST_CASE("a bomb stops at the limit") {
  for (const auto& [encoding, bytes] : packings(std::string(64u << 20, 'a'))) {
    CHECK(decompress(encoding, bytes, 1 << 20).error().code() == ErrorCode::kLimitExceeded);
  }
}

TEST_CASE("cut and damaged data is refused") {
  for (const auto& [encoding, bytes] : packings(sample())) {
    CAPTURE(static_cast<int>(encoding));
    for (std::size_t keep = 0; keep < bytes.size(); keep += 1 + bytes.size() / 97) {
      CHECK_FALSE(decompress(encoding, bytes.substr(0, keep), 1 << 24).has_value());
    }
    CHECK_FALSE(decompress(encoding, "\xff\xff not packed at all", 1 << 20).has_value());
  }
}

TEST_CASE("gzip members may follow each other") {
  const std::string two = compress(ContentEncoding::kGzip, "one ") + compress(ContentEncoding::kGzip, "two");
  CHECK(decompress(ContentEncoding::kGzip, two, 100).value() == "one two");
}

TEST_CASE("names of encodings") {
  CHECK(parse_content_encoding("") == ContentEncoding::kIdentity);
  CHECK(parse_content_encoding("GZip") == ContentEncoding::kGzip);
  CHECK(parse_content_encoding(" zstd ") == ContentEncoding::kZstd);
  CHECK_FALSE(parse_content_encoding("br").has_value());
  CHECK_FALSE(parse_content_encoding("gzip, zstd").has_value());
}

TEST_CASE("the encoding of an answer") {
  const auto gzip = [](std::string_view accept) { return choose_response_encoding(accept) == ContentEncoding::kGzip; };
  CHECK(gzip("gzip"));
  CHECK(gzip("deflate, gzip;q=0.5, br"));
  CHECK(gzip("*"));
  CHECK_FALSE(gzip(""));
  CHECK_FALSE(gzip("br, deflate"));
  CHECK_FALSE(gzip("gzip;q=0"));
  CHECK_FALSE(gzip("gzip; q=0.0, deflate"));
  const auto zstd = [](std::string_view accept) { return choose_response_encoding(accept) == ContentEncoding::kZstd; };
  CHECK(zstd("gzip, deflate, br, zstd"));
  CHECK(zstd("zstd;q=0.5, gzip;q=0.2"));
  CHECK(gzip("zstd;q=0.2, gzip;q=0.5"));
  CHECK(gzip("zstd;q=0, *"));
  CHECK_FALSE(zstd("zstd;q=0"));
}

TEST_CASE("a body that is compressed piece by piece is the same body") {
  std::string body;
  for (int i = 0; i < 40000; ++i) body += std::to_string(i * 7919) + (i % 3 == 0 ? " error\n" : " info\n");
  for (const auto encoding : {ContentEncoding::kIdentity, ContentEncoding::kGzip, ContentEncoding::kZstd}) {
    for (const std::size_t piece : {std::size_t{1000}, std::size_t{65536}, body.size()}) {
      StreamCompressor compressor(encoding);
      std::string out;
      for (std::size_t begin = 0; begin < body.size(); begin += piece) {
        compressor.add(std::string_view(body).substr(begin, piece), out);
        compressor.add({}, out);
      }
      compressor.finish(out);
      CHECK(decompress(encoding, out, body.size()).value() == body);
      if (encoding != ContentEncoding::kIdentity) CHECK(out.size() < body.size() / 2);
    }
    StreamCompressor nothing(encoding);
    std::string out;
    nothing.finish(out);
    CHECK(decompress(encoding, out, 10).value().empty());
  }
}

}  // namespace
}  // namespace kvasir::net
