// The page and its files.
#include "app/serve/page.h"
#include "app/serve/service.h"

namespace uvic {
namespace {

// A page of ours asks nothing of other machines, and runs nothing but its own files.
constexpr const char* kPolicy =
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

const char* type_of(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  return "text/javascript; charset=utf-8";
}

}  // namespace

void add_page_routes(HttpServer& server) {
  for (const PageFile& file : page_files()) {
    const std::string path = file.name == "index.html" ? "/" : "/" + std::string(file.name);
    server.Get(path, [&file](const httplib::Request&, httplib::Response& response) {
      response.set_header("Content-Security-Policy", kPolicy);
      response.set_header("Cache-Control", "no-cache");
      response.set_content(file.text.data(), file.text.size(), type_of(file.name));
    });
  }
}

}  // namespace uvic
