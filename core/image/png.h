// The chunks of a PNG file. Internal to core; core/image/image.h has what others use.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace uvic {

bool is_png(std::string_view bytes);  // by its signature

// Calls `visit(type, data)` for each chunk up to IEND. Error that names `name` if a chunk is cut off or fails its CRC.
void for_each_png_chunk(std::string_view bytes, const std::string& name,
                        const std::function<void(std::string_view type, std::string_view data)>& visit);

}  // namespace uvic
