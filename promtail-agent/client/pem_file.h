// pem_file.h -- PEM text that a configuration holds itself, for a library that wants files.
#pragma once

#include <string>

namespace kvasir::agent {

/// `file`, or where `text` is given a path under which that text can be read for as long as the process lives.
std::string pem_path(const std::string& text, const std::string& file);

}  // namespace kvasir::agent
