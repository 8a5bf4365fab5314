// What a page of ours looks like on a screen, light or dark, and on paper.
#pragma once

#include <string>

namespace uvic {

// A whole page of that title (text) with `body` (HTML) in its main part; nothing in it is loaded or run by a browser.
std::string html_page(const std::string& title, const std::string& style, const std::string& body);

// CSS of text, headings and tables, in the system's letters. Its colours are the variables --page, --text, --quiet,
// --line, --band and --focus.
std::string page_style();

}  // namespace uvic
