// result.h -- how a function says that it failed.
//
// Shape:    Result<T> is a value or an Error; Error is a code and a message, one pointer wide.
// Messages: lower-case, fixed words first, values last, no full stop. Add context when a folder is crossed:
//           `append wal segment 7: no space left`.
// Lifetime: values; copying an Error shares its immutable text.
// Errors:   the closed list of ErrorCode; one function in server/ maps a code to an HTTP status.
// Notes:    "not there" is std::optional and "end of stream" an empty optional inside a Result; neither is an error.
//           This is the only header that names tl::.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace kvasir {

enum class ErrorCode {
  kInvalidArgument,   // the caller's input is wrong
  kParse,             // text that does not follow its grammar; the message carries the position
  kNotFound,          // a named thing does not exist
  kLimitExceeded,     // a limit with a name and a value was passed
  kUnavailable,       // try again later (over budget, shutting down)
  kDeadlineExceeded,  // the time allowed ran out
  kCancelled,         // the client went away or asked to stop
  kCorruption,        // stored bytes are damaged
  kUnsupported,       // a newer format, or a feature that is not built
  kIo,                // the operating system refused
  kInternal,          // our mistake
};

/// Stable lower-case name, for logs and metrics.
std::string_view error_code_name(ErrorCode code);

class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message)
      : state_(std::make_shared<const State>(State{code, std::move(message)})) {}

  ErrorCode code() const { return state_->code; }
  const std::string& message() const { return state_->message; }

  /// The same error with `context: ` in front of its message.
  Error with_context(std::string_view context) const {
    return Error(code(), std::string(context) + ": " + message());
  }

 private:
  struct State {
    ErrorCode code;
    std::string message;
  };
  std::shared_ptr<const State> state_;
};

template <class T>
using Result = tl::expected<T, Error>;

using Unexpected = tl::unexpected<Error>;

inline Unexpected fail(Error error) { return Unexpected(std::move(error)); }
inline Unexpected fail(ErrorCode code, std::string message) { return Unexpected(Error(code, std::move(message))); }

}  // namespace kvasir

#define KVASIR_CONCAT_INNER(a, b) a##b
#define KVASIR_CONCAT(a, b) KVASIR_CONCAT_INNER(a, b)

/// KVASIR_TRY(auto x, f()): declares x from the value of f(), or returns its error.
#define KVASIR_TRY(declaration, expression) KVASIR_TRY_INNER(KVASIR_CONCAT(result_, __LINE__), declaration, expression)
#define KVASIR_TRY_INNER(temporary, declaration, expression)                   \
  auto temporary = (expression);                                               \
  if (!temporary) return ::kvasir::Unexpected(std::move(temporary).error());   \
  declaration = std::move(*temporary)

/// KVASIR_CHECK_OK(f()): returns the error of a Result<void>, or goes on.
#define KVASIR_CHECK_OK(expression)                                                   \
  do {                                                                                \
    if (auto check_result = (expression); !check_result)                              \
      return ::kvasir::Unexpected(std::move(check_result).error());                   \
  } while (false)
