// Package store keeps local AWS's state: typed tables of JSON values in one crash-safe bbolt file. A write that
// returned is on disk. It knows keys and values; it must not know what they mean.
package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// ErrLocked says that another process holds the store.
var ErrLocked = errors.New("the state is in use by another process")

// Store is one state file.
type Store struct{ db *bbolt.DB }

// Open opens or creates the file at path; ErrLocked when another process has it open.
func Open(path string) (*Store, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if errors.Is(err, bbolt.ErrTimeout) { //nolint:staticcheck // the name that bbolt exports
		return nil, fmt.Errorf("%s: %w", path, ErrLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("open state %s: %w", path, err)
	}
	return &Store{db: db}, nil
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

// Batch is a set of writes that come to disk together, or not at all.
type Batch struct{ tx *bbolt.Tx }

// Update does the writes of f as one: when f or the disk fails, none of them happened.
func (s *Store) Update(f func(*Batch) error) error {
	return s.db.Update(func(tx *bbolt.Tx) error { return f(&Batch{tx}) })
}

// Key joins parts into a key whose order is the parts' order. Parts must not contain NUL.
func Key(parts ...string) string { return strings.Join(parts, "\x00") }

// Table is a named set of keys with JSON values of one type.
type Table[T any] struct {
	db   *bbolt.DB
	name []byte
}

// NewTable opens or creates the table.
func NewTable[T any](s *Store, name string) (*Table[T], error) {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists([]byte(name))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("create table %s: %w", name, err)
	}
	return &Table[T]{db: s.db, name: []byte(name)}, nil
}

// Get returns the value of key; ok is false when there is none.
func (t *Table[T]) Get(key string) (value T, ok bool, err error) {
	err = t.db.View(func(tx *bbolt.Tx) error {
		raw := tx.Bucket(t.name).Get([]byte(key))
		if raw == nil {
			return nil
		}
		ok = true
		return json.Unmarshal(raw, &value)
	})
	return value, ok, t.wrap("read", key, err)
}

// Put sets the value of key.
func (t *Table[T]) Put(key string, value T) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return t.wrap("encode", key, err)
	}
	err = t.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(t.name).Put([]byte(key), raw) })
	return t.wrap("write", key, err)
}

// PutIn sets the value of key as a part of batch.
func (t *Table[T]) PutIn(batch *Batch, key string, value T) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return t.wrap("encode", key, err)
	}
	return t.wrap("write", key, batch.tx.Bucket(t.name).Put([]byte(key), raw))
}

// Delete removes key; a missing one is a success.
func (t *Table[T]) Delete(key string) error {
	err := t.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(t.name).Delete([]byte(key)) })
	return t.wrap("delete", key, err)
}

// Each calls f for every key that starts with prefix, in key order, until f returns an error, which it returns.
// f must not write to the store.
func (t *Table[T]) Each(prefix string, f func(key string, value T) error) error {
	return t.db.View(func(tx *bbolt.Tx) error {
		cursor := tx.Bucket(t.name).Cursor()
		for k, raw := cursor.Seek([]byte(prefix)); k != nil && strings.HasPrefix(string(k), prefix); k, raw = cursor.Next() {
			var value T
			if err := json.Unmarshal(raw, &value); err != nil {
				return t.wrap("decode", string(k), err)
			}
			if err := f(string(k), value); err != nil {
				return err
			}
		}
		return nil
	})
}

// List returns the values of every key that starts with prefix, in key order.
func (t *Table[T]) List(prefix string) ([]T, error) {
	var values []T
	err := t.Each(prefix, func(_ string, value T) error {
		values = append(values, value)
		return nil
	})
	return values, err
}

func (t *Table[T]) wrap(verb, key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s %q: %w", verb, t.name, strings.ReplaceAll(key, "\x00", "/"), err)
}
