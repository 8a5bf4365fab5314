#include <condition_variable>
#include <mutex>

#include "core/error.h"
#include "core/image/decoders.h"

namespace uvic {
namespace {

std::mutex mutex;
std::condition_variable freed;
int64_t used = 0;                           // by all threads
thread_local PictureMemory* own = nullptr;  // the outermost of this thread

}  // namespace

PictureMemory::PictureMemory() : outermost_(!own) {
  if (outermost_) own = this;
}

PictureMemory::~PictureMemory() {
  if (!outermost_) return;
  own = nullptr;
  {
    const std::lock_guard lock(mutex);
    used -= bytes_;
  }
  freed.notify_all();
}

void PictureMemory::take(int64_t bytes) {
  std::unique_lock lock(mutex);
  // Who holds memory does not wait, so nobody waits for ever.
  if (bytes_ == 0) freed.wait(lock, [&] { return used == 0 || used + bytes <= kMostPictureMemory; });
  used += bytes;
  bytes_ += bytes;
}

void reserve_picture(int64_t width, int64_t height, int64_t work, const std::string& name) {
  if (width <= 0 || height <= 0) fail("{}: a damaged picture of {} x {} pixels", name, width, height);
  if (width > kMostPixels / height)
    fail("{}: {} x {} pixels are more than the {} that a picture may have", name, width, height, kMostPixels);
  const int64_t bytes = 3 * width * height;
  if (work > kMostPictureMemory - bytes)
    fail("{}: decoding {} x {} pixels of this kind would take more than {} MiB; save it as a plain JPEG or PNG", name,
         width, height, kMostPictureMemory >> 20);
  TORCH_CHECK(own, "a picture is decoded outside of any PictureMemory");
  own->take(bytes + work);
}

Tensor new_picture(int64_t width, int64_t height, int64_t work, const std::string& name) {
  reserve_picture(width, height, work, name);
  return at::empty({height, width, 3}, at::kByte);
}

}  // namespace uvic
