package wire

import (
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// everything has each kind of member that Query services use.
type everything struct {
	Flag   *bool
	Number *int32
	Ratio  *float64
	Data   []byte
	At     *time.Time
	Names  []string
	Labels map[string]string
	Nested []struct{ Key, Value *string }
	Kind   kind
	Union  interface{ isUnion() }
}

// kind is an enum.
type kind string

func TestDecodeQuery(t *testing.T) {
	tests := []struct {
		name, form string
		want       everything
	}{
		{"nothing", "Action=X&Version=1&Unknown.member.1=2", everything{}},
		{"scalars", "Flag=true&Number=-3&Ratio=1.5&Data=aGk%3D&At=2026-11-23T01:02:03Z", everything{
			Flag: aws.Bool(true), Number: aws.Int32(-3), Ratio: aws.Float64(1.5), Data: []byte("hi"), At: aws.Time(time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC))}},
		{"list", "Names.member.1=a&Names.member.3=c&Names.member.2=b", everything{Names: []string{"a", "b", "c"}}},
		{"flat list", "Names.1=a&Names.2=b", everything{Names: []string{"a", "b"}}},
		{"empty list", "Names=", everything{Names: []string{}}},
		{"map", "Labels.entry.1.key=k&Labels.entry.1.value=v&Labels.entry.2.key=l&Labels.entry.2.value=", everything{Labels: map[string]string{"k": "v", "l": ""}}},
		{"list of structures", "Nested.member.1.Key=k&Nested.member.1.Value=v&Nested.member.2.Key=l", everything{
			Nested: []struct{ Key, Value *string }{{aws.String("k"), aws.String("v")}, {Key: aws.String("l")}}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			form, err := url.ParseQuery(test.form)
			if err != nil {
				t.Fatal(err)
			}
			var got everything
			if err := (&shapes{}).decodeQuery(form, reflect.ValueOf(&got).Elem()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeQueryRefuses(t *testing.T) {
	tests := []struct{ name, form, code, says string }{
		{"boolean", "Flag=maybe", "SerializationException", "'Flag'"},
		{"integer", "Number=3000000000", "SerializationException", "'Number'"},
		{"blob", "Data=%25", "SerializationException", "'Data'"},
		{"time", "At=today", "SerializationException", "'At'"},
		{"structure for scalar", "Number.x=1", "SerializationException", "needs a value"},
		{"gap in a list", "Names.member.1=a&Names.member.3=c", "SerializationException", "without gaps"},
		{"list of words", "Names.member.x=a", "SerializationException", "without gaps"},
		{"map without value", "Labels.entry.1.key=k", "SerializationException", "needs a key and a value"},
		{"union", "Union.x=1", "NotImplementedException", "'Union'"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			form, err := url.ParseQuery(test.form)
			if err != nil {
				t.Fatal(err)
			}
			var got everything
			wantFault(t, (&shapes{}).decodeQuery(form, reflect.ValueOf(&got).Elem()), test.code, test.says)
		})
	}
}

func TestDecodeQueryOfTheSDK(t *testing.T) {
	form := url.Values{"RoleArn": {"arn"}, "DurationSeconds": {"900"}, "Tags.member.1.Key": {"k"}, "Tags.member.1.Value": {"v"}, "TransitiveTagKeys.member.1": {"k"}}
	var got sts.AssumeRoleInput
	if err := (&shapes{}).decodeQuery(form, reflect.ValueOf(&got).Elem()); err != nil {
		t.Fatal(err)
	}
	want := sts.AssumeRoleInput{
		RoleArn: aws.String("arn"), DurationSeconds: aws.Int32(900), TransitiveTagKeys: []string{"k"},
		Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(sts.AssumeRoleInput{}, types.Tag{})); diff != "" {
		t.Error(diff)
	}
}

func TestEncodeXML(t *testing.T) {
	out := everything{
		Flag: aws.Bool(false), Number: aws.Int32(0), Ratio: aws.Float64(0.5), Data: []byte("hi"), At: aws.Time(time.Date(2026, 11, 23, 1, 2, 3, 4e6, time.UTC)),
		Labels: map[string]string{"b": "<", "a": ""}, Nested: []struct{ Key, Value *string }{{Key: aws.String("k")}}, Kind: "",
	}
	w := xmlWriter{shapes: &shapes{}}
	if err := w.members(reflect.ValueOf(out), true); err != nil {
		t.Fatal(err)
	}
	const want = `<Flag>false</Flag><Number>0</Number><Ratio>0.5</Ratio><Data>aGk=</Data><At>2026-11-23T01:02:03.004Z</At><Names></Names>` +
		`<Labels><entry><key>a</key><value></value></entry><entry><key>b</key><value>&lt;</value></entry></Labels>` +
		`<Nested><member><Key>k</Key></member></Nested>`
	if got := w.buf.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func FuzzDecodeQuery(f *testing.F) {
	f.Add("Names.member.1=a&Labels.entry.1.key=k&Labels.entry.1.value=v&Nested.member.1.Key=x&Flag=true&At=2026-11-23T01:02:03Z")
	f.Add("Names.member.1.member.1=a&.=&..=1&Nested=&Number=1")
	known := &shapes{}
	f.Fuzz(func(t *testing.T, text string) {
		form, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		var got everything
		if err := known.decodeQuery(form, reflect.ValueOf(&got).Elem()); err != nil {
			return
		}
		w := xmlWriter{shapes: known}
		if err := w.members(reflect.ValueOf(got), true); err != nil {
			t.Errorf("decoded, but does not encode: %v", err)
		}
	})
}
