package store

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
)

type record struct{ N int }

// open opens a store with a table of records.
func open(t *testing.T, path string) (*Store, *Table[record]) {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	table, err := NewTable[record](s, "records")
	if err != nil {
		t.Fatal(err)
	}
	return s, table
}

func (r record) is(t *testing.T, table *Table[record], key string) {
	t.Helper()
	if got, ok, err := table.Get(key); err != nil || !ok || got != r {
		t.Errorf("%s is %+v, %t, %v; want %+v", key, got, ok, err, r)
	}
}

func TestValuesSurviveReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s, table := open(t, path)
	for i, key := range []string{Key("b", "1"), Key("a", "2"), Key("a", "1"), "ab"} {
		if err := table.Put(key, record{i}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(table.Delete("ab"), table.Delete("none"), s.Close()); err != nil {
		t.Fatal(err)
	}
	s, table = open(t, path)
	defer s.Close()
	record{0}.is(t, table, Key("b", "1"))
	if _, ok, err := table.Get("ab"); ok || err != nil {
		t.Errorf("a deleted key: %t, %v", ok, err)
	}
	if got, err := table.List(Key("a", "")); err != nil || !slices.Equal(got, []record{{2}, {1}}) {
		t.Errorf("listed %v, %v", got, err)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s, _ := open(t, path)
	defer s.Close()
	if _, err := Open(path); !errors.Is(err, ErrLocked) {
		t.Errorf("opened twice: %v", err)
	}
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	s, table := open(t, filepath.Join(t.TempDir(), "state.db"))
	defer s.Close()
	other, err := NewTable[record](s, "others")
	if err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	write := func(n int, end error) error {
		return s.Update(func(b *Batch) error {
			return errors.Join(table.PutIn(b, "x", record{n}), other.PutIn(b, "x", record{-n}), end)
		})
	}
	if err := write(1, nil); err != nil {
		t.Fatal(err)
	}
	if err := write(2, boom); !errors.Is(err, boom) {
		t.Errorf("the error of a batch: %v", err)
	}
	record{1}.is(t, table, "x")
	record{-1}.is(t, other, "x")
}

func TestEachStopsAtAnError(t *testing.T) {
	s, table := open(t, filepath.Join(t.TempDir(), "state.db"))
	defer s.Close()
	for _, key := range []string{"a", "b"} {
		if err := table.Put(key, record{}); err != nil {
			t.Fatal(err)
		}
	}
	boom, calls := errors.New("boom"), 0
	err := table.Each("", func(string, record) error {
		calls++
		return boom
	})
	if !errors.Is(err, boom) || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
}
