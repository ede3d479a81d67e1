// models/settings/text_fields.h -- one field of a record set from text: the options of a command line.
#pragma once
#include "models/settings/fields.h"

#include <string>
#include <string_view>

namespace weft::settings {

// Sets the field `key` of what `fields` shows. Throws GraphError where the text is no such value, or
// out of range: "'x' is not a whole number from 1 to 64". To a list the text is added.
void set_field(const std::function<void(Fields&)>& record, std::string_view key,
               std::string_view text);

template <HasFields R>
void set_field(R& record, std::string_view key, std::string_view text) {
  set_field([&record](Fields& f) { fields(record, f); }, key, text);
}

}  // namespace weft::settings
