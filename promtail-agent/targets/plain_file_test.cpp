#include "promtail-agent/targets/plain_file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <bzlib.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstdlib>

#include "promtail-agent/targets/charset.h"
#include "promtail-agent/targets/compressed_file.h"

#include "common/net/content_encoding.h"

namespace kvasir::agent {

namespace {

struct Collected final : LineSink {
  std::vector<std::string> lines;
  std::uint64_t next = 0;
  bool line(std::string_view text, std::uint64_t begin, std::uint64_t end) override {
    CHECK(begin >= next);
    CHECK(end >= begin);
    next = end;
    lines.emplace_back(text);
    return true;
  }
};

/// A file that is written by hand while it is read.
class Scratch {
 public:
  Scratch() { fd_ = ::mkstemp(path_); }
  ~Scratch() {
    ::close(fd_);
    ::unlink(path_);
  }
  void append(std::string_view bytes) {
    ::lseek(fd_, 0, SEEK_END);
    REQUIRE(::write(fd_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  void truncate(off_t size) { REQUIRE(::ftruncate(fd_, size) == 0); }
  int open() const { return ::open(path_, O_RDONLY); }

 private:
  char path_[32] = "/tmp/plain_file_XXXXXX";
  int fd_;
};

std::vector<std::string> read_all(PlainFile& file, bool* replaced = nullptr) {
  Collected sink;
  ReadBuffer buffer;
  for (;;) {
    const auto outcome = file.read(sink, buffer, 1 << 20);
    REQUIRE(outcome);
    if (replaced != nullptr) *replaced = outcome->replaced;
    if (outcome->at_end) return sink.lines;
  }
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a file of which nothing is known yet is not taken for another") {
  Scratch scratch;
  scratch.append("one\ntwo\n");
  PlainFile file(scratch.open(), 0, {}, {});
  file.expect({});
  bool replaced = true;
  CHECK(read_all(file, &replaced) == Lines{"one", "two"});
  CHECK_FALSE(replaced);
}

TEST_CASE("lines come out whole however they were written") {
  const std::string text = "one\n\n  \nlast\r\nx\n";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Scratch scratch;
    scratch.append(text.substr(0, cut));
    PlainFile file(scratch.open(), 0, {}, {});
    Lines got = read_all(file);
    scratch.append(text.substr(cut));
    for (auto& line : read_all(file)) got.push_back(line);
    CHECK(got == Lines{"one", "", "  ", "last\r", "x"});
    CHECK(file.offset() == text.size());
  }
}

TEST_CASE("a line longer than the limit is split, cut or dropped, and the next one is whole") {
  const std::string text = "short\n" + std::string(1 << 20, 'L') + "tail\nafter\n";
  std::uint64_t limit = 600'000;
  const auto run = [&](OverlongLine policy) {
    Scratch scratch;
    scratch.append(text);
    PlainFile file(scratch.open(), 0, {limit, policy}, {});
    const Lines lines = read_all(file);
    CHECK(file.counters().overlong_lines > 0);
    CHECK(lines.front() == "short");
    CHECK(lines.back() == "after");
    return lines;
  };
  for (limit = 600'000; limit > 1'000; limit /= 7) {  // more and less than is read at once
    CAPTURE(limit);
    const Lines split = run(OverlongLine::kSplit);
    std::string joined;
    for (std::size_t i = 1; i + 1 < split.size(); ++i) {
      CHECK(split[i].size() <= limit);
      joined += split[i];
    }
    CHECK(joined == std::string(1 << 20, 'L') + "tail");
    CHECK(run(OverlongLine::kDrop).size() == 2);
    const Lines cut = run(OverlongLine::kTruncate);
    REQUIRE(cut.size() == 3);
    CHECK(cut[1] == std::string(limit, 'L'));
  }
}

TEST_CASE("a line longer than the limit is one although it was read with its end") {
  const std::string text = "short\n" + std::string(25, 'L') + "\nafter\n";
  const auto run = [&](OverlongLine policy) {
    Scratch scratch;
    scratch.append(text);
    PlainFile file(scratch.open(), 0, {10, policy}, {});
    return read_all(file);
  };
  const std::string piece(10, 'L');
  CHECK(run(OverlongLine::kSplit) == Lines{"short", piece, piece, "LLLLL", "after"});
  CHECK(run(OverlongLine::kTruncate) == Lines{"short", piece, "after"});
  CHECK(run(OverlongLine::kDrop) == Lines{"short", "after"});
}

TEST_CASE("a replaced content is noticed, also when it has grown past the old position") {
  const struct {
    std::string before, after;
    bool replaced;
  } cases[] = {
      {"old one\nold two\n", "new\n", true},
      {"old one\nold two\n", "new one\nnew two\nnew three\n", true},
      {"same\n", "same\nmore\n", false},
      {std::string(3000, 'a') + "\n", std::string(3000, 'b') + "\nx\n", true},
      {"header\n" + std::string(2000, 'a') + "\n", "header\n" + std::string(2000, 'b') + "\nx\n", true},
  };
  for (const auto& c : cases) {
    Scratch scratch;
    scratch.append(c.before);
    PlainFile file(scratch.open(), 0, {}, {});
    (void)read_all(file);
    scratch.truncate(0);
    scratch.append(c.after);
    bool replaced = false;
    const Lines lines = read_all(file, &replaced);
    CHECK(replaced == c.replaced);
    CHECK(lines.size() == (c.replaced ? 0 : 1));
  }
}

TEST_CASE("holes at the start of a line are skipped, an unfinished line waits or is flushed") {
  Scratch scratch;
  scratch.append(std::string(5000, '\0') + "text\npart");
  PlainFile file(scratch.open(), 0, {}, {});
  CHECK(read_all(file) == Lines{"text"});
  CHECK(file.counters().skipped_nul_bytes == 5000);
  CHECK(file.has_partial());
  Collected sink;
  ReadBuffer buffer;
  file.flush_partial(sink, buffer);
  CHECK(sink.lines == Lines{"part"});
  CHECK(!file.has_partial());
}

TEST_CASE("character sets") {
  const struct {
    const char* name;
    std::string bytes;
    Lines want;
  } cases[] = {
      {"ISO-8859-1", "caf\xe9\n", {"caf\xc3\xa9"}},
      {"Shift_JIS", "\x93\xfa\x96\x7b\n", {"\xe6\x97\xa5\xe6\x9c\xac"}},
      {"UTF-16LE", std::string("a\0\n\0\x0a\x01\n\0", 8), {"a", "\xc4\x8a"}},
      {"UTF-16BE", std::string("\xfe\xff\0b\0\n", 6), {"b"}},
      {"UTF-8", "\xff!\n", {"\xef\xbf\xbd!"}},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    auto charset = Charset::create(c.name);
    REQUIRE(charset);
    Scratch scratch;
    scratch.append(c.bytes);
    PlainFile file(scratch.open(), 0, {}, (*charset)->newline());
    Lines got;
    for (const auto& line : read_all(file)) got.emplace_back((*charset)->decode(line, got.empty()));
    CHECK(got == c.want);
  }
  CHECK(!Charset::create("no-such-charset"));
}

TEST_CASE("a compressed file may be empty, cut off, in several members, and grow") {
  const std::string first = net::compress(net::ContentEncoding::kGzip, "a\nb\r\n");
  const std::string second = net::compress(net::ContentEncoding::kGzip, "c\nlast");
  const std::string whole = first + second;
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    Scratch scratch;
    scratch.append(whole.substr(0, cut));
    CompressedFile file(scratch.open(), CompressionFormat::kGzip, CompressedFile::Unit::kLines, 0, {});
    Collected sink;
    ReadBuffer buffer;
    REQUIRE(file.read(sink, buffer, 1 << 20));
    scratch.append(whole.substr(cut));
    const auto outcome = file.read(sink, buffer, 1 << 20);
    REQUIRE(outcome);
    CHECK(outcome->finished);
    CHECK(sink.lines == Lines{"a", "b", "c", "last"});
    CHECK(file.offset() == 4);
  }
}

namespace {

/// `plain` in a format, and again: two members.
std::string packed(CompressionFormat format, const std::string& plain) {
  std::string out(plain.size() + 4096, '\0');
  if (format == CompressionFormat::kZstd) {
    out.resize(ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), 3));
  } else if (format == CompressionFormat::kBzip2) {
    auto size = static_cast<unsigned>(out.size());
    BZ2_bzBuffToBuffCompress(out.data(), &size, const_cast<char*>(plain.data()), static_cast<unsigned>(plain.size()), 9,
                             0, 0);
    out.resize(size);
  } else {
    z_stream stream{};
    deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
    stream.avail_in = static_cast<uInt>(plain.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
  }
  return out + out;
}

}  // namespace

TEST_CASE("one piece of a compressed file unpacks to a limited part of what it holds") {
  const std::string plain = std::string(10 << 20, 'x') + "\n";
  for (const auto format : {CompressionFormat::kGzip, CompressionFormat::kBzip2, CompressionFormat::kZstd}) {
    CAPTURE(static_cast<int>(format));
    const std::string bomb = packed(format, plain);
    REQUIRE(bomb.size() < 64 << 10);
    const auto decompressor = make_decompressor(format);
    std::string_view rest = bomb;
    std::uint64_t total = 0, lines = 0;
    while (!rest.empty() || decompressor->has_more()) {
      std::string out = "held";
      const auto used = decompressor->feed(rest, out);
      REQUIRE(used);
      REQUIRE((*used > 0 || out.size() > 4));
      REQUIRE(out.size() <= 4 + kOutputBytesMax + (64 << 10));
      rest.remove_prefix(*used);
      total += out.size() - 4;
      lines += static_cast<std::uint64_t>(std::count(out.begin(), out.end(), '\n'));
    }
    CHECK(decompressor->complete());
    CHECK(total == 2 * plain.size());
    CHECK(lines == 2);
  }
}

TEST_CASE("a compressed file goes on behind the lines or bytes that were read") {
  Scratch scratch;
  scratch.append(net::compress(net::ContentEncoding::kGzip, "aa\nbb\ncc\n"));
  const auto run = [&](CompressedFile::Unit unit, std::uint64_t start) {
    CompressedFile file(scratch.open(), std::nullopt, unit, start, {});
    Collected sink;
    ReadBuffer buffer;
    REQUIRE(file.read(sink, buffer, 1 << 20));
    return sink.lines;
  };
  CHECK(run(CompressedFile::Unit::kLines, 2) == Lines{"cc"});
  CHECK(run(CompressedFile::Unit::kBytes, 3) == Lines{"bb", "cc"});
  CHECK(run(CompressedFile::Unit::kBytes, 4) == Lines{"b", "cc"});
  CHECK(run(CompressedFile::Unit::kBytes, 9).empty());
  Scratch broken;
  broken.append("\x1f\x8b\x08garbage and more garbage");
  CompressedFile file(broken.open(), CompressionFormat::kGzip, CompressedFile::Unit::kLines, 0, {});
  Collected sink;
  ReadBuffer buffer;
  CHECK(!file.read(sink, buffer, 1 << 20));
  CHECK(file.read(sink, buffer, 1 << 20)->at_end);
}

TEST_CASE("a compressed file goes on where its reader was stopped, also if the rest of it is broken") {
  struct Stopping final : LineSink {
    Lines lines;
    bool line(std::string_view text, std::uint64_t, std::uint64_t) override {
      lines.emplace_back(text);
      return lines.size() % 3 != 0;
    }
  };
  const std::string packed = net::compress(net::ContentEncoding::kGzip, "a\nb\nc\nd\ne\nf\ng\nlast");
  for (const auto unit : {CompressedFile::Unit::kLines, CompressedFile::Unit::kBytes}) {
    for (const bool broken : {false, true}) {
      CAPTURE(broken);
      Scratch scratch;
      scratch.append(packed + (broken ? "and garbage" : ""));
      CompressedFile file(scratch.open(), std::nullopt, unit, 0, {});
      Stopping sink;
      ReadBuffer buffer;
      for (int reads = 0; reads < 10; ++reads) {
        const auto outcome = file.read(sink, buffer, 1 << 20);
        if (!outcome) continue;
        CHECK(outcome->finished == (outcome->at_end && !broken));
        if (outcome->at_end) break;
      }
      Lines want{"a", "b", "c", "d", "e", "f", "g"};
      if (!broken) want.push_back("last");
      CHECK(sink.lines == want);
    }
  }
}

}  // namespace kvasir::agent
