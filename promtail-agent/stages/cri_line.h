// cri_line.h -- the parts of a line in the format of the container runtime interface.
//
// Grammar:  time ' ' ("stdout" | "stderr") ' ' flags ' ' content; time and flags hold no white space.
// Lifetime: views of the line.
#pragma once

#include <optional>
#include <string_view>

namespace kvasir::agent {

struct CriLine {
  std::string_view time;
  std::string_view stream;
  std::string_view flags;
  std::string_view content;
};

std::optional<CriLine> split_cri_line(std::string_view line);

}  // namespace kvasir::agent
