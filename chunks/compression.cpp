#include "chunks/compression.h"

#include <zstd.h>

#include <memory>

#include "common/assert.h"

namespace kvasir::chunks {
namespace {

constexpr int kLevel = 1;

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

}  // namespace

void zstd_append(std::string_view raw, std::string& out) {
  static thread_local std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  const std::size_t before = out.size();
  const std::size_t bound = ZSTD_compressBound(raw.size());
  out.resize(before + bound);
  const std::size_t size = ZSTD_compressCCtx(context.get(), out.data() + before, bound, raw.data(), raw.size(), kLevel);
  KVASIR_ASSERT(!ZSTD_isError(size), "zstd refused a buffer of its own bound");
  out.resize(before + size);
}

bool zstd_expand(std::string_view frame, char* out, std::size_t raw_bytes) {
  static thread_local std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  const std::size_t size = ZSTD_decompressDCtx(context.get(), out, raw_bytes, frame.data(), frame.size());
  return !ZSTD_isError(size) && size == raw_bytes;
}

}  // namespace kvasir::chunks
