// A data SPEC. What was read is written as a text that says the same.
#include "datasets/spec.h"

#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  const Spec spec = Spec::parse(std::string(bytes));
  TORCH_CHECK(Spec::parse(spec.text()).text() == spec.text(), spec.text());
  CommonOptions::of(spec);
}
