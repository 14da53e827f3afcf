#include "promtail-agent/targets/decompressor.h"

#include <bzlib.h>
#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

namespace kvasir::agent {

namespace {

inline constexpr std::size_t kStepBytes = 64 << 10;
inline constexpr int kZstdWindowLogMax = 25;  // it is memory; 23 is what every decoder must have

class ZlibDecompressor final : public Decompressor {
 public:
  ZlibDecompressor() { inflateInit2(&stream_, 15 + 32); }  // zlib and gzip headers are told apart by zlib
  ~ZlibDecompressor() override { inflateEnd(&stream_); }

  Result<std::size_t> feed(std::string_view in, std::string& out) override {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    const std::size_t limit = out.size() + kOutputBytesMax;
    while ((stream_.avail_in > 0 || has_more_) && out.size() < limit) {
      if (complete_ && stream_.avail_in > 0) inflateReset(&stream_);
      const std::size_t before = out.size();
      out.resize(before + kStepBytes);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + before);
      stream_.avail_out = kStepBytes;
      const int code = inflate(&stream_, Z_NO_FLUSH);
      out.resize(before + kStepBytes - stream_.avail_out);
      complete_ = code == Z_STREAM_END;
      has_more_ = stream_.avail_out == 0 && !complete_;
      if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
        return fail(ErrorCode::kCorruption,
                    fmt::format("gzip: {}", stream_.msg == nullptr ? "invalid data" : stream_.msg));
      }
    }
    return in.size() - stream_.avail_in;
  }
  bool has_more() const override { return has_more_ || stream_.avail_in > 0; }
  bool complete() const override { return complete_; }

 private:
  z_stream stream_{};
  bool complete_ = false;
  bool has_more_ = false;
};

class Bzip2Decompressor final : public Decompressor {
 public:
  Bzip2Decompressor() { BZ2_bzDecompressInit(&stream_, 0, 0); }
  ~Bzip2Decompressor() override { BZ2_bzDecompressEnd(&stream_); }

  Result<std::size_t> feed(std::string_view in, std::string& out) override {
    stream_.next_in = const_cast<char*>(in.data());
    stream_.avail_in = static_cast<unsigned>(in.size());
    const std::size_t limit = out.size() + kOutputBytesMax;
    while ((stream_.avail_in > 0 || has_more_) && out.size() < limit) {
      if (complete_) restart();
      const std::size_t before = out.size();
      out.resize(before + kStepBytes);
      stream_.next_out = out.data() + before;
      stream_.avail_out = kStepBytes;
      const int code = BZ2_bzDecompress(&stream_);
      out.resize(before + kStepBytes - stream_.avail_out);
      complete_ = code == BZ_STREAM_END;
      has_more_ = stream_.avail_out == 0 && !complete_;
      if (code != BZ_OK && code != BZ_STREAM_END)
        return fail(ErrorCode::kCorruption, fmt::format("bzip2: error {}", code));
    }
    return in.size() - stream_.avail_in;
  }
  bool has_more() const override { return has_more_ || stream_.avail_in > 0; }
  bool complete() const override { return complete_; }

 private:
  void restart() {
    char* const next = stream_.next_in;
    const unsigned left = stream_.avail_in;
    BZ2_bzDecompressEnd(&stream_);
    stream_ = {};
    BZ2_bzDecompressInit(&stream_, 0, 0);
    stream_.next_in = next;
    stream_.avail_in = left;
    complete_ = false;
  }
  bz_stream stream_{};
  bool complete_ = false;
  bool has_more_ = false;
};

class ZstdDecompressor final : public Decompressor {
 public:
  ZstdDecompressor() : stream_(ZSTD_createDStream()) {
    ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, kZstdWindowLogMax);
  }
  ~ZstdDecompressor() override { ZSTD_freeDStream(stream_); }

  Result<std::size_t> feed(std::string_view in, std::string& out) override {
    ZSTD_inBuffer input{in.data(), in.size(), 0};
    const std::size_t limit = out.size() + kOutputBytesMax;
    while ((input.pos < input.size || has_more_) && out.size() < limit) {
      const std::size_t before = out.size();
      out.resize(before + kStepBytes);
      ZSTD_outBuffer output{out.data() + before, kStepBytes, 0};
      const std::size_t code = ZSTD_decompressStream(stream_, &output, &input);
      out.resize(before + output.pos);
      if (ZSTD_isError(code) != 0)
        return fail(ErrorCode::kCorruption, fmt::format("zstd: {}", ZSTD_getErrorName(code)));
      complete_ = code == 0;
      has_more_ = output.pos == kStepBytes && !complete_;
    }
    input_left_ = input.pos < input.size;
    return input.pos;
  }
  bool has_more() const override { return has_more_ || input_left_; }
  bool complete() const override { return complete_; }

 private:
  ZSTD_DStream* stream_;
  bool complete_ = false;
  bool has_more_ = false;
  bool input_left_ = false;
};

}  // namespace

Result<CompressionFormat> parse_compression_format(std::string_view name) {
  if (name == "gz" || name == "gzip") return CompressionFormat::kGzip;
  if (name == "z" || name == "zlib") return CompressionFormat::kZlib;
  if (name == "bz2" || name == "bzip2") return CompressionFormat::kBzip2;
  if (name == "zst" || name == "zstd") return CompressionFormat::kZstd;
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("file format \"{}\" is not supported, supported formats are: gz, z, bz2, zst", name));
}

std::string_view name_of_compression(std::string_view first_bytes) {
  if (first_bytes.starts_with("\x1f\x8b\x08")) return "gz";
  if (first_bytes.starts_with("\x28\xb5\x2f\xfd")) return "zst";
  if (first_bytes.starts_with("BZh") && first_bytes.substr(4).starts_with("1AY&")) return "bz2";
  return {};
}

Result<CompressionFormat> detect_compression_format(std::string_view first_bytes) {
  if (first_bytes.starts_with("\x1f\x8b")) return CompressionFormat::kGzip;
  if (first_bytes.starts_with("BZh")) return CompressionFormat::kBzip2;
  if (first_bytes.starts_with("\x28\xb5\x2f\xfd")) return CompressionFormat::kZstd;
  if (first_bytes.size() >= 2 && first_bytes[0] == '\x78' &&
      (static_cast<unsigned char>(first_bytes[0]) * 256 + static_cast<unsigned char>(first_bytes[1])) % 31 == 0) {
    return CompressionFormat::kZlib;
  }
  return fail(ErrorCode::kUnsupported, "unknown compression format");
}

std::unique_ptr<Decompressor> make_decompressor(CompressionFormat format) {
  switch (format) {
    case CompressionFormat::kGzip:
    case CompressionFormat::kZlib: return std::make_unique<ZlibDecompressor>();
    case CompressionFormat::kBzip2: return std::make_unique<Bzip2Decompressor>();
    case CompressionFormat::kZstd: return std::make_unique<ZstdDecompressor>();
  }
  return nullptr;
}

}  // namespace kvasir::agent
