#include "chunks/segment_output.h"

namespace kvasir::chunks {

Result<void> SegmentOutput::hand_on() {
  if (filesystem_ == nullptr || tail_.size() < kHandOnBytes) return {};
  return write_tail();
}

Result<void> SegmentOutput::commit() {
  KVASIR_CHECK_OK(write_tail());
  return file_->commit();
}

Result<void> SegmentOutput::write_tail() {
  if (file_ == nullptr) {
    KVASIR_TRY(file_, AtomicFile::create(*filesystem_, path_));
  }
  KVASIR_CHECK_OK(file_->append(tail_));
  handed_on_ += tail_.size();
  tail_.clear();
  return {};
}

}  // namespace kvasir::chunks
