#include "common/fault_filesystem.h"

namespace kvasir {

Result<void> FaultFilesystem::State::step(std::string_view action, const Path& path, Need need) {
  MutexLock lock(mutex);
  const std::uint64_t call = calls++;
  if (call < plan.first || call - plan.first >= plan.count) return {};
  if (plan.kind == FaultKind::kNoSpace && need == Need::kNothing) return {};
  fired = true;
  const std::string_view reason = plan.kind == FaultKind::kNoSpace ? "no space left on device" : "injected fault";
  return fail(ErrorCode::kIo, std::string(action) + " " + path + ": " + std::string(reason));
}

bool FaultFilesystem::State::short_writes() {
  MutexLock lock(mutex);
  return plan.kind != FaultKind::kError;
}

class FaultFilesystem::FaultAppendFile final : public AppendFile {
 public:
  FaultAppendFile(std::unique_ptr<AppendFile> inner, std::shared_ptr<State> state, Path path)
      : inner_(std::move(inner)), state_(std::move(state)), path_(std::move(path)) {}

  Result<void> append(std::string_view bytes) override {
    const auto step = state_->step("write", path_, Need::kRoom);
    if (step) return inner_->append(bytes);
    if (state_->short_writes()) (void)inner_->append(bytes.substr(0, bytes.size() / 2));
    return step;
  }
  Result<void> sync() override {
    KVASIR_CHECK_OK(state_->step("sync", path_, Need::kNothing));
    return inner_->sync();
  }
  Result<void> close() override {
    KVASIR_CHECK_OK(state_->step("close", path_, Need::kNothing));
    return inner_->close();
  }

 private:
  std::unique_ptr<AppendFile> inner_;
  std::shared_ptr<State> state_;
  Path path_;
};

FaultFilesystem::FaultFilesystem(Filesystem& inner, FaultPlan plan) : inner_(inner), state_(std::make_shared<State>()) {
  state_->plan = plan;
}

void FaultFilesystem::set_plan(FaultPlan plan) {
  MutexLock lock(state_->mutex);
  state_->plan = plan;
  state_->calls = 0;
  state_->fired = false;
}

Result<std::unique_ptr<AppendFile>> FaultFilesystem::open_append(const Path& path) {
  KVASIR_CHECK_OK(state_->step("open", path, Need::kRoom));
  KVASIR_TRY(auto file, inner_.open_append(path));
  return std::make_unique<FaultAppendFile>(std::move(file), state_, path);
}
Result<std::unique_ptr<AppendFile>> FaultFilesystem::create(const Path& path) {
  KVASIR_CHECK_OK(state_->step("create", path, Need::kRoom));
  KVASIR_TRY(auto file, inner_.create(path));
  return std::make_unique<FaultAppendFile>(std::move(file), state_, path);
}
Result<std::unique_ptr<RandomFile>> FaultFilesystem::open_random(const Path& path) {
  KVASIR_CHECK_OK(state_->step("open", path, Need::kNothing));
  return inner_.open_random(path);
}
Result<std::string> FaultFilesystem::read_all(const Path& path, std::uint64_t size_max) {
  KVASIR_CHECK_OK(state_->step("read", path, Need::kNothing));
  return inner_.read_all(path, size_max);
}
Result<std::optional<FileStatus>> FaultFilesystem::status(const Path& path) {
  KVASIR_CHECK_OK(state_->step("stat", path, Need::kNothing));
  return inner_.status(path);
}
Result<std::vector<std::string>> FaultFilesystem::list(const Path& directory) {
  KVASIR_CHECK_OK(state_->step("list", directory, Need::kNothing));
  return inner_.list(directory);
}
Result<void> FaultFilesystem::make_directories(const Path& directory) {
  const auto there = inner_.status(directory);
  const Need need = there && there->has_value() ? Need::kNothing : Need::kRoom;
  KVASIR_CHECK_OK(state_->step("make folder", directory, need));
  return inner_.make_directories(directory);
}
Result<void> FaultFilesystem::rename(const Path& from, const Path& to) {
  KVASIR_CHECK_OK(state_->step("rename", from, Need::kNothing));
  return inner_.rename(from, to);
}
Result<void> FaultFilesystem::remove(const Path& path) {
  KVASIR_CHECK_OK(state_->step("remove", path, Need::kNothing));
  return inner_.remove(path);
}
Result<void> FaultFilesystem::truncate(const Path& path, std::uint64_t size) {
  KVASIR_CHECK_OK(state_->step("truncate", path, Need::kNothing));
  return inner_.truncate(path, size);
}
Result<void> FaultFilesystem::sync_dir(const Path& directory) {
  KVASIR_CHECK_OK(state_->step("sync folder", directory, Need::kNothing));
  return inner_.sync_dir(directory);
}

}  // namespace kvasir
