// inspect.h -- prints what each stage changed (-inspect).
//
// Shape:    `[inspect: regex stage]: ` and per changed path `\t-: old` and `\t+: new`; `none` where nothing changed.
// Threads:  before() and after() of one entry come from one thread; several pipelines may print at once.
#pragma once

#include <map>
#include <string>

#include "common/mutex.h"
#include "promtail-agent/stages/stage.h"

namespace kvasir::agent {

class InspectPrinter final : public StageObserver {
 public:
  void before(std::string_view stage, const Entry& entry) override;
  void after(std::string_view stage, const Entry& entry, Verdict verdict) override;

 private:
  using View = std::map<std::string, std::string>;
  static View view_of(const Entry& entry);
  static View& last_view();
};

}  // namespace kvasir::agent
