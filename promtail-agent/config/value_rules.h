// value_rules.h -- what a value must look like beyond its type: addresses, ports, patterns, names of labels.
//
// Shape:    each asks about one value and gives what is wrong with it and what is allowed, empty if nothing is.
// Threads:  any. Nothing is looked up in the network.
#pragma once

#include <string>
#include <string_view>

namespace kvasir::agent {

/// `host:port`, `[ipv6]:port` or `:port`; a port may be the name of a service.
std::string find_address_problem(std::string_view text);
/// An address or a host name without a port; empty is any.
std::string find_host_problem(std::string_view text);
/// A path pattern, as glob.h reads it. One that names an existing file by its letters is never wrong.
std::string find_pattern_problem(std::string_view text);
/// A name that nothing can carry: empty, or not UTF-8.
std::string find_label_name_problem(std::string_view name);
/// [a-zA-Z_][a-zA-Z0-9_]*: what servers take.
bool is_plain_label_name(std::string_view name);

}  // namespace kvasir::agent
