// WebP with libwebp; of an animation the first frame.
#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

#include "core/error.h"
#include "core/image/decoders.h"

namespace uvic {
namespace {

// Decodes one picture to where it belongs in `image`.
void decode_frame(std::string_view bytes, const Tensor& image, int64_t left, int64_t top, Alpha alpha,
                  const std::string& name) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  WebPDecoderConfig config;
  TORCH_CHECK(WebPInitDecoderConfig(&config), "libwebp is of another version than its headers");
  const VP8StatusCode header = WebPGetFeatures(data, bytes.size(), &config.input);
  if (header == VP8_STATUS_NOT_ENOUGH_DATA) fail("{}: the image is truncated", name);
  if (header != VP8_STATUS_OK || left + config.input.width > image.size(1) || top + config.input.height > image.size(0))
    fail("{}: the WebP is damaged", name);
  const bool blended = alpha == Alpha::kOverBlack && config.input.has_alpha;
  const int64_t width = config.input.width, height = config.input.height, channels = blended ? 4 : 3;
  const Tensor place = image.narrow(0, top, height).narrow(1, left, width);
  const Tensor pixels = blended ? at::empty({height, width, 4}, at::kByte) : place;
  config.output.colorspace = blended ? MODE_rgbA : MODE_RGB;  // "A": multiplied with alpha
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = pixels.data_ptr<uint8_t>();
  config.output.u.RGBA.stride = static_cast<int>(pixels.stride(0));
  config.output.u.RGBA.size = static_cast<size_t>((height - 1) * pixels.stride(0) + width * channels);
  const VP8StatusCode status = WebPDecode(data, bytes.size(), &config);
  if (status == VP8_STATUS_OUT_OF_MEMORY) throw std::bad_alloc();
  if (status == VP8_STATUS_NOT_ENOUGH_DATA || status == VP8_STATUS_SUSPENDED) fail("{}: the image is truncated", name);
  if (status != VP8_STATUS_OK) fail("{}: the WebP is damaged", name);
  if (blended) place.copy_(pixels.narrow(2, 0, 3));
}

}  // namespace

Tensor decode_webp(std::string_view bytes, const std::string& name, Alpha alpha) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  WebPBitstreamFeatures features;
  const VP8StatusCode header = WebPGetFeatures(data, bytes.size(), &features);
  if (header == VP8_STATUS_NOT_ENOUGH_DATA) fail("{}: the image is truncated", name);
  if (header != VP8_STATUS_OK) fail("{}: the WebP is damaged", name);
  // libwebp unpacks lossless pictures to 32 bits a pixel, and so the alpha of the others, beside the alpha itself.
  const bool lossy = features.format == 1 && !features.has_alpha;
  const int64_t area = static_cast<int64_t>(features.width) * features.height;
  const Tensor image =
      new_picture(features.width, features.height, lossy ? 0 : (alpha == Alpha::kOverBlack ? 9 : 5) * area, name);
  if (!features.has_animation) {
    decode_frame(bytes, image, 0, 0, alpha, name);
    return image;
  }

  const WebPData file{data, bytes.size()};
  const std::unique_ptr<WebPDemuxer, void (*)(WebPDemuxer*)> demuxer(WebPDemux(&file), WebPDemuxDelete);
  WebPIterator frame{};
  if (!demuxer || !WebPDemuxGetFrame(demuxer.get(), 1, &frame)) fail("{}: the WebP is damaged or truncated", name);
  const std::unique_ptr<WebPIterator, void (*)(WebPIterator*)> owner(&frame, WebPDemuxReleaseIterator);
  if (frame.width < image.size(1) || frame.height < image.size(0)) image.zero_();
  decode_frame({reinterpret_cast<const char*>(frame.fragment.bytes), frame.fragment.size}, image, frame.x_offset,
               frame.y_offset, alpha, name);
  return image;
}

}  // namespace uvic
