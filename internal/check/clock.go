package check

import (
	"fmt"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// maxSkew is how far off a signature's time may be.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html
const maxSkew = 5 * time.Minute

// judgeClock: AWS refuses what is signed too early or too late.
func judgeClock(t release.Target, seen *look) []release.Finding {
	if t.Local || !seen.clockKnown || seen.ahead.Abs() <= maxSkew {
		return nil
	}
	way := "ahead of"
	if seen.ahead < 0 {
		way = "behind"
	}
	return one(finding(codeClock, "this machine's clock", fmt.Sprintf("it is %s %s AWS's", span(seen.ahead.Abs().Round(time.Second)), way),
		"AWS refuses what is signed more than 5 minutes off, certificates count as expired or not yet valid, and times in logs do not fit together",
		"set it: sudo timedatectl set-ntp true (in a virtual machine or WSL: sudo hwclock --hctosys)"))
}

// judgeExpiry: a release whose credentials end can neither see its rollout through nor put things right.
func judgeExpiry(t release.Target, seen *look) []release.Finding {
	longest := t.Timeout
	if t.Migrate != nil {
		longest += t.Migrate.Timeout
	}
	left := seen.expiry.At.Sub(seen.now)
	if t.Local || !seen.ends || seen.expiry.Renews || left >= longest {
		return nil
	}
	return one(finding(codeExpiry, "AWS credentials",
		fmt.Sprintf("those from %s end at %s, in %s; the release may take %s", seen.expiry.Source, seen.expiry.At.Local().Format(time.DateTime), span(left.Round(time.Second)), span(longest)),
		"unless they can be renewed in between, the release loses sight of its rollout, and cannot put things right when it fails",
		"get new ones first: aws sso login, or whatever they came from; in a workflow ask aws-actions/configure-aws-credentials for a longer role-duration-seconds"))
}

// span is a duration without the zeros at its end: 15m, not 15m0s.
func span(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
