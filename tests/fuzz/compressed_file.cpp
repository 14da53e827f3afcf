// Files that are read as compressed: any bytes, first half of them, then all; what comes out is lines in order.
#include <unistd.h>

#include <sys/mman.h>

#include <cstdint>
#include <string_view>

#include "promtail-agent/targets/compressed_file.h"

namespace {

struct Lines final : kvasir::agent::LineSink {
  std::uint64_t next = 0;
  bool line(std::string_view text, std::uint64_t begin, std::uint64_t end) override {
    if (begin < next || end < begin || text.size() > kLineBytesMax + kInputSlack) __builtin_trap();
    next = end;
    return true;
  }
  static constexpr std::size_t kLineBytesMax = 1 << 16;
  static constexpr std::size_t kInputSlack = kvasir::agent::kOutputBytesMax + (64 << 10);  // of one feed()
};

void read_to_end(kvasir::agent::CompressedFile& file, Lines& lines) {
  kvasir::agent::ReadBuffer buffer;
  for (;;) {
    const auto outcome = file.read(lines, buffer, 1 << 20);
    if (!outcome || outcome->at_end) return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kvasir::agent;
  const int fd = ::memfd_create("compressed", MFD_CLOEXEC);
  if (fd < 0) return 0;
  const std::size_t half = size / 2;
  CompressedFile file(fd, std::nullopt, CompressedFile::Unit::kBytes, 0, {Lines::kLineBytesMax, OverlongLine::kSplit});
  Lines lines;
  if (::pwrite(fd, data, half, 0) != static_cast<ssize_t>(half)) return 0;
  read_to_end(file, lines);
  if (::pwrite(fd, data + half, size - half, static_cast<off_t>(half)) != static_cast<ssize_t>(size - half)) return 0;
  read_to_end(file, lines);
  return 0;
}
