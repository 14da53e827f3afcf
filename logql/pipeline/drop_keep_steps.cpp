#include <algorithm>

#include "logql/pipeline/steps.h"

namespace kvasir::logql {

namespace {

struct Item {
  NameId name;
  std::shared_ptr<const LabelMatcher> matcher;  // null: the bare name
};

std::vector<Item> compile(const std::vector<NameOrMatcher>& items, NameTable& names) {
  std::vector<Item> out;
  for (const NameOrMatcher& item : items) out.push_back({names.intern(item.name), item.matcher});
  return out;
}

bool accepts(const Item& item, std::string_view value) {
  return item.matcher == nullptr || item.matcher->matches(value);
}

class DropStep : public Step {
 public:
  explicit DropStep(std::vector<Item> items) : items_(std::move(items)) {}

  bool apply(EntryState& entry) const override {
    LabelState& labels = entry.labels;
    for (const Item& item : items_) {
      if (item.name == kErrorName) {
        if (accepts(item, labels.error())) labels.clear_error();
      } else if (item.name == kErrorDetailsName) {
        if (accepts(item, labels.error_details())) labels.clear_error_details();
      } else if (const auto value = labels.get(item.name); value && accepts(item, *value)) {
        labels.erase(item.name);
      }
    }
    return true;
  }

 private:
  std::vector<Item> items_;
};

class KeepStep : public Step {
 public:
  explicit KeepStep(std::vector<Item> items) : items_(std::move(items)) {}

  bool apply(EntryState& entry) const override {
    std::vector<NameId>& losers = entry.name_list;
    losers.clear();
    entry.labels.for_each([&](NameId name, std::string_view value, LabelCategory) {
      if (!keeps(name, value)) losers.push_back(name);
    });
    for (const NameId name : losers) entry.labels.erase(name);
    return true;
  }

 private:
  bool keeps(NameId name, std::string_view value) const {
    if (name == kErrorName || name == kErrorDetailsName || name == kPreserveErrorName) return true;
    return std::any_of(items_.begin(), items_.end(),
                       [&](const Item& item) { return item.name == name && accepts(item, value); });
  }

  std::vector<Item> items_;
};

}  // namespace

StepPtr make_drop_step(const Drop& drop, NameTable& names) {
  return std::make_unique<DropStep>(compile(drop.items, names));
}

StepPtr make_keep_step(const Keep& keep, NameTable& names) {
  return std::make_unique<KeepStep>(compile(keep.items, names));
}

}  // namespace kvasir::logql
