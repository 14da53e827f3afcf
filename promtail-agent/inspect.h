// inspect.h -- prints what each stage changed (-inspect).
//
// Shape:    `[inspect: regex stage]: ` and per changed path `\t-: old` and `\t+: new`; `none` where nothing changed. A
//           stage with stages inside comes behind these and shows only what it did itself.
// Threads:  before() and after() of one entry come from one thread; several pipelines may print at once.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "promtail-agent/stages/stage.h"

namespace kvasir::agent {

class InspectPrinter final : public StageObserver {
 public:
  /// Prints to standard error.
  InspectPrinter();
  explicit InspectPrinter(std::function<void(const std::string&)> print) : print_(std::move(print)) {}
  void before(std::string_view stage, const Entry& entry) override;
  void after(std::string_view stage, const Entry& entry, Verdict verdict) override;

 private:
  using View = std::map<std::string, std::string>;
  /// A stage at work, and the entry as it was before it.
  struct Frame {
    const Entry* entry;
    View view;
  };
  static View view_of(const Entry& entry);
  static std::vector<Frame>& frames();

  const std::function<void(const std::string&)> print_;
};

}  // namespace kvasir::agent
