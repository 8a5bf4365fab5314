// HTML that is XML as well, out of text of others.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace uvic {

// The text as HTML shows it, in an element or in a quoted attribute. Its lines are those of visible() (core/text.h), so
// that nothing of it is markup, and nothing a control character.
std::string escape_html(std::string_view text);

// Rows of text, each under its heading; the first cell of a row is the row's own heading. Wide tables can be scrolled.
struct HtmlTable {
  std::string caption;  // a heading for who hears the page, shown above the table
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> rows;
};
std::string to_html(const HtmlTable& table);

}  // namespace uvic
