package storetest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// testIDs uses ids that would meet or leave their place if they were used as file names or keys unchanged.
func testIDs(t *testing.T, _ Suite, s oauth.Store) {
	ids := []string{
		"a", "A", "a.b", "a/b", "a\\b", "../a", "a:b", "a b", "ü", "a%2fb", "..", ".", "user@example.org",
		"a{b}", "a*", "a?", "CON", "con", "nul.json", "a.json", "a.lock", ".a", "a.", "a ",
	}
	for _, id := range ids {
		mustSave(t, s, id, minimal("token of "+id))
	}
	for _, id := range ids {
		wantStored(t, s, id, minimal("token of "+id))
	}
	for i, id := range ids {
		if err := s.Delete(t.Context(), id); err != nil {
			t.Errorf("Delete(%q) = %v", id, err)
		}
		wantMissing(t, s, id)
		if i+1 < len(ids) {
			wantStored(t, s, ids[i+1], minimal("token of "+ids[i+1]))
		}
	}
}

// testHostileIDs uses ids that a store may refuse; those that it takes it must not mix up.
func testHostileIDs(t *testing.T, _ Suite, s oauth.Store) {
	mustSave(t, s, "victim", minimal("of the victim"))
	hostile := []string{
		"victim\x00", "victim\x00.json", "victim\n", "\x00", "\xff\xfe", "\xc0\xae\xc0\xae/victim", "..\\victim",
		"../../../../etc/passwd", "/etc/passwd", "//host/share", "C:\\x", "./victim", "x/../victim", "VICTIM",
		"caf\u00e9", "cafe\u0301", "\u202evictim", "🔑", strings.Repeat("x", 300), strings.Repeat("x", 300) + "y",
		strings.Repeat("../", 100), strings.Repeat("ü", 5000),
	}
	var taken []string
	for i, id := range hostile {
		err := s.Save(t.Context(), id, minimal("hostile "+string(rune('a'+i))))
		switch {
		case err == nil:
			taken = append(taken, id)
		case !errors.Is(err, oauth.ErrInvalid):
			t.Errorf("Save(%.20q…) = %v, want nil or ErrInvalid", id, err)
		default:
			wantMissing(t, s, id)
			if err := s.Delete(t.Context(), id); err != nil {
				t.Errorf("Delete(%.20q…) = %v, want nil as for what is not there", id, err)
			}
		}
	}
	for i, id := range hostile {
		if slices.Contains(taken, id) {
			wantStored(t, s, id, minimal("hostile "+string(rune('a'+i))))
		}
	}
	wantStored(t, s, "victim", minimal("of the victim"))
	if lister, ok := s.(oauth.Lister); ok {
		want := append([]string{"victim"}, taken...)
		slices.Sort(want)
		got, err := lister.List(t.Context())
		if !errors.Is(err, errors.ErrUnsupported) && (err != nil || !slices.Equal(want, got)) {
			t.Errorf("List = %.200q, %v; want %.200q", got, err, want)
		}
	}
}

// testOtherIDs wants a store with one id to hold nothing for others.
func testOtherIDs(t *testing.T, x Suite, s oauth.Store) {
	mustSave(t, s, x.ID, sample())
	for _, id := range []string{"other", strings.ToUpper(x.ID) + "x", x.ID + "/"} {
		wantMissing(t, s, id)
		if err := s.Save(t.Context(), id, minimal("t")); !errors.Is(err, oauth.ErrInvalid) {
			t.Errorf("Save(%q) = %v, want ErrInvalid", id, err)
		}
		if err := s.Delete(t.Context(), id); err != nil {
			t.Errorf("Delete(%q) = %v", id, err)
		}
	}
	wantStored(t, s, x.ID, sample())
}

func testList(t *testing.T, x Suite, s oauth.Store) {
	lister, ok := s.(oauth.Lister)
	if !ok {
		t.Skip("not an oauth.Lister")
	}
	got, err := lister.List(t.Context())
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("wraps no oauth.Lister")
	}
	if err != nil || len(got) > 0 {
		t.Errorf("List of an empty store = %q, %v", got, err)
	}
	ids, want := []string{"b", "a/x", "c", "B"}, []string{"B", "a/x", "b"}
	if x.ID != "" {
		ids, want = []string{x.ID}, []string{x.ID}
	}
	for _, id := range ids {
		mustSave(t, s, id, minimal("t"))
	}
	if err := s.Delete(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	got, err = lister.List(t.Context())
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("List = %q, %v; want %q", got, err, want)
	}
}
