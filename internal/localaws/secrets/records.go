package secrets

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// Staging labels that Secrets Manager moves itself.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html#term_version
const (
	stageCurrent  = "AWSCURRENT"
	stagePrevious = "AWSPREVIOUS"
)

// secret is one secret of a region.
type secret struct {
	Region, Name string
	Suffix       string // the six random characters at the end of its ARN
	Description  string
	KMSKey       string
	Type         string
	Tags         []types.Tag
	Versions     []version // oldest first
	Created      time.Time
	Changed      time.Time
	Accessed     time.Time // a day; zero: never
	Purge        time.Time // when it goes for good; zero: it is not deleted
}

// version is one value of a secret. A value is text or bytes.
type version struct {
	ID      string
	Stages  []string
	Created time.Time
	Binary  bool
	Sealed  []byte
}

func (s *secret) key() string   { return store.Key(s.Region, s.Name) }
func (s *secret) arn() string   { return arnPrefix(s.Region) + s.Name + "-" + s.Suffix }
func (s *secret) deleted() bool { return !s.Purge.IsZero() }

// place is what a version's value is sealed for.
func (s *secret) place(versionID string) string {
	return store.Key("secretsmanager", s.Region, s.Name, s.Suffix, versionID)
}

func arnPrefix(region string) string {
	return "arn:aws:secretsmanager:" + region + ":" + wire.AccountID + ":secret:"
}

func (s *secret) version(id string) *version {
	for i := range s.Versions {
		if s.Versions[i].ID == id {
			return &s.Versions[i]
		}
	}
	return nil
}

func (s *secret) staged(stage string) *version {
	for i := range s.Versions {
		if slices.Contains(s.Versions[i].Stages, stage) {
			return &s.Versions[i]
		}
	}
	return nil
}

// stages are the versions that have a staging label, with their labels.
func (s *secret) stages() map[string][]string {
	all := map[string][]string{}
	for _, v := range s.Versions {
		if len(v.Stages) > 0 {
			all[v.ID] = v.Stages
		}
	}
	return all
}

// maxVersions is about how many versions a secret keeps.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
const maxVersions = 100

// add makes v the newest version. Its labels leave the versions that had them; the one that loses AWSCURRENT becomes
// AWSPREVIOUS. Above the limit the oldest versions without a label go.
func (s *secret) add(v version) {
	if before := s.staged(stageCurrent); before != nil && slices.Contains(v.Stages, stageCurrent) {
		s.unstage(stagePrevious)
		before.Stages = append(before.Stages, stagePrevious)
	}
	for _, stage := range v.Stages {
		s.unstage(stage)
	}
	s.Versions = append(s.Versions, v)
	for over := len(s.Versions) - maxVersions; over > 0; over-- {
		oldest := slices.IndexFunc(s.Versions, func(v version) bool { return len(v.Stages) == 0 })
		if oldest < 0 {
			return
		}
		s.Versions = slices.Delete(s.Versions, oldest, oldest+1)
	}
}

// unstage takes a label away from the version that has it.
func (s *secret) unstage(stage string) {
	if v := s.staged(stage); v != nil {
		v.Stages = slices.DeleteFunc(v.Stages, func(have string) bool { return have == stage })
	}
}
