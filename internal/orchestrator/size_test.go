package orchestrator

import "testing"

func TestSizeOf(t *testing.T) {
	for text, want := range map[string]int{
		"1024": 1024, " 512 ": 512, "": 0, "x": 0, "-1": 0, "NaN": 0,
		"1 GB": 1024, "2GB": 2048, ".5gb": 512, "0.5 GB": 512, "1 vCPU": 0,
	} {
		if got := sizeOf(&text, "gb"); got != want {
			t.Errorf("%q = %d, want %d", text, got, want)
		}
	}
	if got := sizeOf(nil, "vcpu"); got != 0 {
		t.Errorf("nothing said = %d", got)
	}
	if text := ".25 vCPU"; sizeOf(&text, "vcpu") != 256 {
		t.Errorf("%q = %d", text, sizeOf(&text, "vcpu"))
	}
}
