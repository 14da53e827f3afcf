// odd_lines.h -- damaged and unusual lines that must be lines like any other.
#pragma once

#include <string>
#include <vector>

namespace kvasir {

inline std::vector<std::string> odd_lines() {
  const std::string json = R"({"level":"error","status":503,"duration_ms":12})";
  return {"",
          std::string("nul \0 error", 11),
          "crlf error\r\n",
          "two\nlines error",
          "\xff\xfe error",
          json,
          json + "\r\n",
          json + " tail",
          std::string("{\"level\":\"a\0b\",\"status\":501}", 28),
          "{\"level\":\"\xff\",\"status\":502}",
          "{\"status\":\"5e2\",\"level\":\"x\"}",
          "level=error status=503 duration=1s",
          "level=\"a\\u0041\" duration=2s",
          "\xef\xbf\xbd error",
          "{}",
          "[1,2]",
          "null",
          "=",
          "\"\"",
          "10.0.0.1 - - [x] \"GET /a HTTP/1.1\" 200 7",
          "10.0.0.1 - - [x] \"GET /a\xff HTTP/1.1\" 200 7",
          "a - - [b] \"c d"};
}

}  // namespace kvasir
