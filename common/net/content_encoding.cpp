#include "common/net/content_encoding.h"

#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "common/assert.h"
#include "common/net/http_types.h"
#include "common/number.h"

namespace kvasir::net {
namespace {

constexpr std::size_t kFirstOutputBytes = 64 * 1024;
constexpr int kGzipWindow = 15 + 16;  // zlib: 15 bits, gzip wrapper
constexpr int kZlibWindow = 15;
constexpr int kRawWindow = -15;

Error too_large(std::uint64_t limit) {
  return {ErrorCode::kLimitExceeded, "decompressed message size too large than max (" + std::to_string(limit + 1) +
                                         " vs " + std::to_string(limit) + ")"};
}

Error truncated() { return {ErrorCode::kInvalidArgument, "unexpected EOF"}; }

/// Output that doubles up to the limit and one byte more, which tells "exactly full" from "too large".
class BoundedOutput {
 public:
  explicit BoundedOutput(std::uint64_t limit) : limit_(limit) {}
  /// False: more than the limit came out.
  bool grow() {
    if (used_ > limit_) return false;
    if (used_ == out_.size()) {
      out_.resize(std::min<std::uint64_t>(limit_ + 1, std::max(kFirstOutputBytes, out_.size() * 2)));
    }
    return true;
  }
  char* tail() { return out_.data() + used_; }
  std::size_t room() const { return out_.size() - used_; }
  void produced(std::size_t size) { used_ += size; }
  Result<std::string> take() {
    if (used_ > limit_) return fail(too_large(limit_));
    out_.resize(used_);
    return std::move(out_);
  }

 private:
  std::uint64_t limit_;
  std::uint64_t used_ = 0;
  std::string out_;
};

Result<std::string> inflate_all(int window, std::string_view data, std::uint64_t limit) {
  z_stream stream{};
  if (inflateInit2(&stream, window) != Z_OK) return fail(ErrorCode::kInternal, "inflate cannot start");
  const std::unique_ptr<z_stream, decltype(&inflateEnd)> guard(&stream, inflateEnd);
  BoundedOutput out(limit);
  while (true) {
    if (!out.grow()) return fail(too_large(limit));
    // avail_in is 32 bits wide: larger inputs go in pieces.
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
    const auto given = static_cast<uInt>(std::min<std::size_t>(data.size(), 1u << 30));
    stream.avail_in = given;
    stream.next_out = reinterpret_cast<Bytef*>(out.tail());
    const auto room = static_cast<uInt>(std::min<std::size_t>(out.room(), 1u << 30));
    stream.avail_out = room;
    const int code = inflate(&stream, Z_NO_FLUSH);
    data.remove_prefix(given - stream.avail_in);
    out.produced(room - stream.avail_out);
    if (code == Z_STREAM_END) {
      if (data.empty() || window != kGzipWindow) return out.take();
      inflateReset(&stream);  // gzip members may follow each other
      continue;
    }
    const bool stuck = code == Z_BUF_ERROR || (data.empty() && stream.avail_out > 0);
    if (stuck) return fail(truncated());
    if (code != Z_OK) {
      return fail(ErrorCode::kInvalidArgument, window == kGzipWindow ? "gzip: invalid header" : "flate: corrupt input");
    }
  }
}

bool has_zlib_header(std::string_view data) {
  if (data.size() < 2) return false;
  const auto first = static_cast<unsigned char>(data[0]);
  const auto second = static_cast<unsigned char>(data[1]);
  return (first & 0x0f) == 8 && (first * 256 + second) % 31 == 0;
}

Result<std::string> decompress_zstd(std::string_view data, std::uint64_t limit) {
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, 27);
  ZSTD_inBuffer in{data.data(), data.size(), 0};
  BoundedOutput out(limit);
  while (true) {
    if (!out.grow()) return fail(too_large(limit));
    ZSTD_outBuffer piece{out.tail(), out.room(), 0};
    const std::size_t left = ZSTD_decompressStream(context.get(), &piece, &in);
    if (ZSTD_isError(left)) {
      return fail(ErrorCode::kInvalidArgument, std::string("zstd: ") + ZSTD_getErrorName(left));
    }
    out.produced(piece.pos);
    if (in.pos == in.size && piece.pos < piece.size) {
      if (left != 0) return fail(truncated());
      return out.take();
    }
  }
}

Result<std::string> decompress_lz4(std::string_view data, std::uint64_t limit) {
  LZ4F_dctx* raw = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&raw, LZ4F_VERSION))) {
    return fail(ErrorCode::kInternal, "lz4 cannot start");
  }
  const std::unique_ptr<LZ4F_dctx, decltype(&LZ4F_freeDecompressionContext)> context(raw,
                                                                                     LZ4F_freeDecompressionContext);
  BoundedOutput out(limit);
  std::size_t expected = 1;  // what LZ4F wants next; 0: the frame is over
  while (!data.empty() || expected != 0) {
    if (!out.grow()) return fail(too_large(limit));
    std::size_t produced = out.room();
    std::size_t consumed = data.size();
    expected = LZ4F_decompress(context.get(), out.tail(), &produced, data.data(), &consumed, nullptr);
    if (LZ4F_isError(expected)) {
      return fail(ErrorCode::kInvalidArgument, std::string("lz4: ") + LZ4F_getErrorName(expected));
    }
    data.remove_prefix(consumed);
    out.produced(produced);
    if (data.empty() && produced == 0 && expected != 0) return fail(truncated());
  }
  return out.take();
}

std::string compress_gzip(std::string_view data) {
  z_stream stream{};
  KVASIR_ASSERT(deflateInit2(&stream, 1, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) == Z_OK,
                "deflate cannot start");
  std::string out(deflateBound(&stream, data.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  KVASIR_ASSERT(deflate(&stream, Z_FINISH) == Z_STREAM_END, "deflate did not end");
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string compress_zstd(std::string_view data) {
  std::string out(ZSTD_compressBound(data.size()), '\0');
  const std::size_t size = ZSTD_compress(out.data(), out.size(), data.data(), data.size(), 1);
  KVASIR_ASSERT(!ZSTD_isError(size), "zstd failed");
  out.resize(size);
  return out;
}

std::string_view trim(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::optional<ContentEncoding> parse_content_encoding(std::string_view name) {
  name = trim(name);
  if (name.empty() || equal_ignore_case(name, "identity")) return ContentEncoding::kIdentity;
  if (equal_ignore_case(name, "gzip") || equal_ignore_case(name, "x-gzip")) return ContentEncoding::kGzip;
  if (equal_ignore_case(name, "deflate")) return ContentEncoding::kDeflate;
  if (equal_ignore_case(name, "zstd")) return ContentEncoding::kZstd;
  if (equal_ignore_case(name, "lz4")) return ContentEncoding::kLz4;
  return std::nullopt;
}

Result<std::string> decompress(ContentEncoding encoding, std::string_view data, std::uint64_t limit_bytes) {
  switch (encoding) {
    case ContentEncoding::kIdentity:
      if (data.size() > limit_bytes) return fail(too_large(limit_bytes));
      return std::string(data);
    case ContentEncoding::kGzip: return inflate_all(kGzipWindow, data, limit_bytes);
    case ContentEncoding::kDeflate:
      return inflate_all(has_zlib_header(data) ? kZlibWindow : kRawWindow, data, limit_bytes);
    case ContentEncoding::kZstd: return decompress_zstd(data, limit_bytes);
    case ContentEncoding::kLz4: return decompress_lz4(data, limit_bytes);
  }
  return fail(ErrorCode::kUnsupported, "unknown content encoding");
}

std::string compress(ContentEncoding encoding, std::string_view data) {
  return encoding == ContentEncoding::kZstd ? compress_zstd(data) : compress_gzip(data);
}

ContentEncoding choose_response_encoding(std::string_view accept_encoding) {
  double gzip = -1;
  double zstd = -1;
  double others = 0;
  while (!accept_encoding.empty()) {
    const std::string_view item = accept_encoding.substr(0, accept_encoding.find(','));
    accept_encoding.remove_prefix(std::min(item.size() + 1, accept_encoding.size()));
    const std::size_t semicolon = item.find(';');
    const std::string_view name = trim(item.substr(0, semicolon));
    const std::string_view weight =
        semicolon == std::string_view::npos ? std::string_view() : trim(item.substr(semicolon + 1));
    const double q = weight.starts_with("q=") ? parse_go_float(weight.substr(2)).value_or(0) : 1;
    if (equal_ignore_case(name, "gzip")) gzip = q;
    else if (equal_ignore_case(name, "zstd")) zstd = q;
    else if (name == "*") others = q;
  }
  if (gzip < 0) gzip = others;
  if (zstd > 0 && zstd >= gzip) return ContentEncoding::kZstd;
  return gzip > 0 ? ContentEncoding::kGzip : ContentEncoding::kIdentity;
}

std::string_view content_encoding_name(ContentEncoding encoding) {
  return encoding == ContentEncoding::kZstd ? "zstd" : "gzip";
}

struct StreamCompressor::Coder {
  virtual ~Coder() = default;
  virtual void run(std::string_view data, bool last, std::string& out) = 0;
};

namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;

/// Lets `produce(room)` fill the tail of `out`; it gives how much it used.
template <class Produce>
void append_piece(std::string& out, Produce produce) {
  const std::size_t old_size = out.size();
  out.resize(old_size + kPieceBytes);
  out.resize(old_size + produce(out.data() + old_size));
}

class GzipCoder final : public StreamCompressor::Coder {
 public:
  GzipCoder() {
    KVASIR_ASSERT(deflateInit2(&stream_, 1, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) == Z_OK,
                  "deflate cannot start");
  }
  ~GzipCoder() override { deflateEnd(&stream_); }

  void run(std::string_view data, bool last, std::string& out) override {
    KVASIR_ASSERT(data.size() < (1u << 30), "a piece for gzip is too large");
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
    stream_.avail_in = static_cast<uInt>(data.size());
    do {
      append_piece(out, [&](char* tail) {
        stream_.next_out = reinterpret_cast<Bytef*>(tail);
        stream_.avail_out = kPieceBytes;
        deflate(&stream_, last ? Z_FINISH : Z_NO_FLUSH);
        return kPieceBytes - stream_.avail_out;
      });
    } while (stream_.avail_out == 0);
  }

 private:
  z_stream stream_{};
};

class ZstdCoder final : public StreamCompressor::Coder {
 public:
  ZstdCoder() : context_(ZSTD_createCCtx(), ZSTD_freeCCtx) {
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, 1);
  }

  void run(std::string_view data, bool last, std::string& out) override {
    ZSTD_inBuffer in{data.data(), data.size(), 0};
    std::size_t left = 1;
    while (in.pos < in.size || (last && left != 0)) {
      append_piece(out, [&](char* tail) {
        ZSTD_outBuffer piece{tail, kPieceBytes, 0};
        left = ZSTD_compressStream2(context_.get(), &piece, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        KVASIR_ASSERT(!ZSTD_isError(left), "zstd failed");
        return piece.pos;
      });
    }
  }

 private:
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context_;
};

}  // namespace

StreamCompressor::StreamCompressor(ContentEncoding encoding) {
  if (encoding == ContentEncoding::kGzip) coder_ = std::make_unique<GzipCoder>();
  if (encoding == ContentEncoding::kZstd) coder_ = std::make_unique<ZstdCoder>();
}

StreamCompressor::~StreamCompressor() = default;

void StreamCompressor::add(std::string_view data, std::string& out) {
  if (coder_ == nullptr) out += data;
  else if (!data.empty()) coder_->run(data, false, out);
}

void StreamCompressor::finish(std::string& out) {
  if (coder_ != nullptr) coder_->run({}, true, out);
}

}  // namespace kvasir::net
