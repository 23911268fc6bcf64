package auth

import (
	"testing"

	"github.com/nexios-go/nexios/e2e/services"
)

// TestOnServers repeats, on database servers, the tests that depend on how a database
// locks, compares and counts.
func TestOnServers(t *testing.T) {
	for name, url := range map[string]func(testing.TB) string{"postgres": services.Postgres, "mysql": services.MySQL} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TEST_DATABASE_URL", url(t))
			for name, test := range map[string]func(*testing.T){
				"required factor":         TestRequiredSecondFactor,
				"rotation":                TestRefreshRotates,
				"invalid refreshes":       TestInvalidRefreshTokens,
				"reuse":                   TestReuseEndsOnlyTheFamily,
				"retry":                   TestRetryWithinGraceGetsSameSuccessor,
				"parallel refreshes":      TestParallelRefreshesGetOneSuccessor,
				"session revocation":      TestSessionRevocation,
				"deactivated account":     TestDeactivatedOrDeletedAccount,
				"concurrent logins":       TestLoginRacesWithPasswordChange,
				"account lock":            TestAccountLocksAfterTenWrongPasswords,
				"cleared count":           TestRightPasswordClearsAccountCount,
				"address lock":            TestAddressLocksAfterThirtyWrongPasswords,
				"parallel guesses":        TestConcurrentGuessesAreLimited,
				"failed logins":           TestFailedLoginsAreIndistinguishable,
				"hash upgrade":            TestLoginUpgradesOldHash,
				"second factor":           TestLoginRequiresSecondFactor,
				"one code, one login":     TestCodeIsValidForOneLogin,
				"enrolment":               TestEnrolment,
				"API keys":                TestAPIKeys,
				"reset":                   TestResetPassword,
				"one letter":              TestLetterIsValidForOneReset,
				"confirmation":            TestConfirmEmail,
				"page session":            TestPageSession,
				"names":                   TestNamesAreEqualInEverySpelling,
				"older users":             TestUsersOfOlderVersion,
				"impersonation":           TestImpersonate,
				"new address":             TestNewAddressTakesEffectOnceConfirmed,
				"unconfirmed address":     TestNewAddressWithoutConfirmation,
				"reserved address":        TestRevertibleAddressIsReserved,
				"reverted change":         TestRevertChangeOfAddress,
				"change by administrator": TestChangeByAdministratorCannotBeReverted,
				"corrected change":        TestCorrectionOffersNoRevert,
				"released address":        TestReleaseEmail,
				"concurrent registration": TestRegistrationRacesWithChangeOfAddress,
				"notices":                 TestNotices,
				"new device":              TestNewDeviceIsNotified,
				"failing notice":          TestFailedNoticeRollsBackChange,
				"purge":                   TestPurge,
			} {
				t.Run(name, test)
			}
		})
	}
}
