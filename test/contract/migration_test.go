package contract_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMigrationTellsEveryDifference(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "migration.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range readList(t).ids() {
		if n := strings.Count(string(text), "\n| "+id+" | "); n != 1 {
			t.Errorf("docs/migration.md has %d rows for %s, want 1", n, id)
		}
	}
}
