### Ce que l'assuré lit au sujet d'une décision, en français : poli, simple, au vouvoiement.

## Numbers, amounts and days

money = { $amount } { $currency }
money-IRR = { $amount } { $count ->
    [one] rial iranien
   *[other] rials iraniens
}
money-YER = { $amount } { $count ->
    [one] rial yéménite
   *[other] rials yéménites
}
money-MAD = { $amount } { $count ->
    [one] dirham
   *[other] dirhams
}
money-MZN = { $amount } { $count ->
    [one] metical
   *[other] meticais
}
percent = { $number } %
date = { $day ->
    [1] 1er
   *[other] { $day }
} { $month ->
    [1] janvier
    [2] février
    [3] mars
    [4] avril
    [5] mai
    [6] juin
    [7] juillet
    [8] août
    [9] septembre
    [10] octobre
    [11] novembre
   *[12] décembre
} { $year }
comma = { ", " }
then = { ", " }
and = { $before } et { $last }

## Who pays

your-insurer = votre assureur complémentaire
summary = Sur cette facture de { $billed }, { $payers }.
line-shares = Sur { $billed }, { $payers }.
base-pays = votre assureur de base paie { $amount }
insurer-pays = { $insurer } paie { $amount }
insurer-pays-nothing = { $insurer } ne paie rien
provider-waives = le prestataire renonce à { $amount }
you-pay = vous payez { $amount }
you-pay-nothing = vous ne payez rien
line = Ligne { $number }

total-billed = Facture : { $amount }
total-allowed = Reconnu par votre assurance complémentaire : { $amount }
total-base = Payé par votre assureur de base : { $amount }
total-supplementary = Payé par { $insurer } : { $amount }
total-written_off = Le prestataire renonce à : { $amount }
total-member = Reste à votre charge : { $amount }

member-pays-nothing = Vous ne payez rien.
member-pays = Vous payez { $amount } : { $part }.
member-pays-sum = Vous payez { $amount } en tout : { $parts }.
member-part = { $amount } ({ $part })
part-other = ce que votre assurance ne couvre pas

## What is left

left-money = « { $limit } » chez { $insurer } : le solde est de { $after } sur { $ceiling } ; avant cette facture il était de { $before }.
left-count = « { $limit } » chez { $insurer } : il reste { $after ->
    [one] { $after } unité
   *[other] { $after } unités
} sur { $ceiling } ; avant cette facture il en restait { $before }.
left-visits = « { $limit } » chez { $insurer } : il reste { $after ->
    [one] { $after } visite
   *[other] { $after } visites
} sur { $ceiling } ; avant cette facture il en restait { $before }.
left-days = « { $limit } » chez { $insurer } : il reste { $after ->
    [one] { $after } jour
   *[other] { $after } jours
} sur { $ceiling } ; avant cette facture il en restait { $before }.
left-deductible = « { $limit } » chez { $insurer } : sur les premiers { $ceiling }, qui sont à votre charge, il reste { $after } à venir ; avant cette facture, { $before }.
left-out-of-pocket = « { $limit } » chez { $insurer } : sur les { $ceiling } que vous payez au plus vous-même, il reste { $after } à venir ; avant cette facture, { $before }.
reserved = Ce que votre assurance paie de cette facture vous reste réservé jusqu'au { $until }.

## Cover

COV-MEMBER = L'assuré n'a pas pu être reconnu ; aucune assurance complémentaire n'a donc été appliquée.
    .part = l'assuré n'a pas été reconnu
COV-AMBIGUOUS = Les données reçues correspondent à plusieurs assurés ; aucune assurance complémentaire n'a donc été appliquée.
    .part = on ne sait pas à quel assuré appartient cette facture
COV-NONE = Aucune assurance complémentaire n'est connue à votre nom.
    .part = aucune assurance complémentaire n'est connue à votre nom
COV-INACTIVE = Votre couverture chez { $insurer } n'était pas en vigueur le jour de cette prestation.
    .told = { $insurer } ne paie rien ici, car votre couverture n'était pas en vigueur le jour de la prestation.
    .part = votre couverture complémentaire n'était pas en vigueur ce jour-là
COV-SUSPENDED = Votre couverture chez { $insurer } est actuellement suspendue ; rien n'est donc payé.
    .part = votre couverture complémentaire est suspendue
COV-DENIED = { $insurer } indique que vous n'êtes pas couvert ; rien n'est donc payé.
    .part = votre assureur indique que vous n'êtes pas couvert
COV-BY-HUB = { $insurer } a été interrogé sur votre couverture et n'a pas répondu ; la couverture telle qu'elle est enregistrée fait foi.
COV-AGE = L'assuré a dépassé l'âge jusqu'auquel { $insurer } couvre cet ayant-droit.
    .part = l'âge jusqu'auquel cet ayant-droit est couvert est dépassé

## Benefits

BEN-NONE = La police de { $insurer } ne prévoit rien pour ce soin.
    .part = votre police ne prévoit rien pour ce soin
BEN-EXCLUDED = La police de { $insurer } exclut ce soin.
    .part = votre police exclut ce soin
BEN-CLINICAL = Une règle médicale s'oppose à ce soin, et la police de { $insurer } ne le paie pas dans ce cas.
    .part = une règle médicale de votre police s'oppose à ce soin
BEN-WAITING = Le délai de carence de { $insurer } pour cette prestation n'est pas encore écoulé.
    .told = Votre couverture chez { $insurer } a commencé le { $start }. La prestation « { $benefit } » a un délai de carence de { $months } mois et s'ouvre donc le { $opens } ; ce soin a eu lieu avant cette date.
    .part = le délai de carence n'est pas encore écoulé
BEN-AGE = Cette prestation de { $insurer } est destinée à un autre âge.
    .told = { $ages ->
        [between] La prestation « { $benefit } » de { $insurer } est destinée aux personnes de { $age_min } à { $age_max } ans.
        [from] La prestation « { $benefit } » de { $insurer } commence à l'âge de { $age_min ->
            [one] { $age_min } an
           *[other] { $age_min } ans
        }.
       *[to] La prestation « { $benefit } » de { $insurer } prend fin après l'âge de { $age_max ->
            [one] { $age_max } an
           *[other] { $age_max } ans
        }.
    }
    .part = cette prestation est destinée à un autre âge
BEN-SEX = Cette prestation de { $insurer } est réservée à l'autre sexe.
    .told = La prestation « { $benefit } » de { $insurer } est réservée à l'autre sexe.
    .part = cette prestation est réservée à l'autre sexe
BEN-DIAGNOSIS = Cette prestation de { $insurer } est prévue pour d'autres diagnostics que ceux de la facture.
    .told = La prestation « { $benefit } » de { $insurer } est prévue pour d'autres diagnostics que ceux de la facture.
    .part = cette prestation est prévue pour d'autres diagnostics
BEN-CARE = Cette prestation de { $insurer } est prévue pour un autre type de soins, comme l'hospitalisation ou l'ambulatoire.
    .told = La prestation « { $benefit } » de { $insurer } est prévue pour un autre type de soins, comme l'hospitalisation ou l'ambulatoire.
    .part = cette prestation est prévue pour un autre type de soins
NET-OUTSIDE = { $insurer } ne paie pas ce soin chez ce prestataire, en raison de sa place dans le réseau.
    .told = { $insurer } ne paie pas « { $benefit } » chez ce prestataire, en raison de sa place dans le réseau.
    .part = votre police ne paie pas ce soin chez ce prestataire

## Pre-authorisation

AUTH-MISSING = { $insurer } ne paie ce soin qu'après entente préalable, et il n'y en a pas.
    .told = { $insurer } ne paie « { $benefit } » qu'après entente préalable, et il n'y en a pas.
    .part = il n'y a pas d'entente préalable
AUTH-PENDED = Ce soin demande une entente préalable : { $insurer } doit encore décider et, d'ici là, les montants peuvent changer.
AUTH-PENALTY = Il n'y a pas d'entente préalable ; votre ticket modérateur est donc plus élevé.
    .told = Il n'y a pas d'entente préalable ; { $insurer } porte donc votre ticket modérateur de { $rate } à { $penalty_rate }.
AUTH-GONE = L'accord préalable indiqué sur la facture a expiré, a été retiré ou est épuisé.
AUTH-AMOUNT = L'entente préalable couvre moins que ce qui est facturé.
    .told = L'entente préalable est de { $authorised } ; { $insurer } reconnaît donc { $after } au lieu de { $before }.
    .part = au-delà de ce qui a été accordé

## Quantity and price

QTY-CAPPED = Seule une partie de la quantité est couverte.
    .told = { $insurer } couvre { $covered ->
        [one] { $covered } unité
       *[other] { $covered } unités
    } sur { $asked }, soit { $after } sur { $before }.
    .part = la quantité au-delà de ce qui est couvert
QTY-USED = La quantité que { $insurer } couvre est épuisée.
    .told = La quantité que { $insurer } couvre au titre de « { $benefit } » est épuisée.
    .part = la quantité couverte est épuisée
PRICE-CONTRACT = Le prix dépasse celui convenu entre l'assureur et le prestataire.
    .told = { $insurer } et le prestataire ont convenu d'un prix de { $price }{ $quantity ->
        [1] { "" }
       *[other] { " " }(quantité : { $quantity })
    } ; { $after } sur { $before } sont donc reconnus.
    .part = au-delà du prix convenu
PRICE-TARIFF = Le prix dépasse le tarif.
    .told = Le tarif de ce soin est de { $price }{ $quantity ->
        [1] { "" }
       *[other] { " " }(quantité : { $quantity })
    } ; { $insurer } reconnaît donc { $after } sur { $before }.
    .part = au-delà du tarif
PRICE-RANK = Plusieurs actes ont été faits ensemble ; les moindres sont donc reconnus en partie.
    .told = Plusieurs actes ont été faits ensemble ; { $insurer } reconnaît donc le prix de { $price } à { $ranks } : { $after } sur { $before }.
    .part = au-delà de ce qui est reconnu pour des actes faits ensemble
PRICE-PACKAGE = Ce soin a un seul prix avec d'autres, au forfait.
    .told = Ce soin fait partie d'un forfait à prix unique (ligne { $package } de la facture). Selon ce qui a été demandé pour chaque soin, { $after } sur { $before } sont reconnus ici ; les autres chiffres sont ceux du forfait entier.
    .part = votre part du forfait
PRICE-REFERENCE = Le prix dépasse le prix-référence, qui est celui du générique équivalent.
    .told = Le prix-référence du générique équivalent est de { $reference_price }{ $quantity ->
        [1] { "" }
       *[other] { " " }(quantité : { $quantity })
    } ; { $insurer } reconnaît donc { $after } sur { $before }.
    .part = au-delà du prix-référence du générique
PRICE-UNKNOWN = Aucun prix n'est connu pour ce soin ; rien n'a donc été calculé.
    .part = aucun prix n'est connu
PRICE-WRITTEN-OFF = Le prestataire renonce à ce qui dépasse le prix convenu. Vous ne le payez pas.
    .told = Le prestataire renonce à { $after }, qui dépassent le prix convenu. Vous ne les payez pas.

## The base insurer

BASE-PAID = Votre assureur de base paie sa part, comme l'indique la facture.
    .told = Votre assureur de base paie { $after }, { $said_by ->
        [bill] comme l'indique la facture
       *[other] comme il l'a répondu lui-même
    }.
BASE-COMPUTED = Votre assureur de base paie sa part selon son propre tarif.
    .told = Votre assureur de base paie { $rate } de son tarif, qui est de { $price }{ $quantity ->
        [1] { "" }
       *[other] { " " }(quantité : { $quantity })
    } : { $after }.
BASE-SUBSIDY = Une subvention de l'État s'ajoute à la part de votre assureur de base.
    .told = Une subvention de l'État de { $change } s'ajoute ; avec elle, la part de votre assureur de base est de { $after }.
BASE-SILENT = Votre assureur de base a été interrogé sur sa part et n'a donné aucune réponse utilisable ; sa part a donc été calculée selon son tarif.

## Your own share

SHARE-DEDUCTIBLE = La première partie des frais, la franchise, est à votre charge.
    .told = Selon votre police, { $change } comptent pour votre franchise, que vous payez avant que { $insurer } ne paie.
    .part = votre franchise
SHARE-COPAY = Votre police prévoit un copaiement fixe.
    .told = Votre police prévoit un copaiement fixe de { $change }.
    .part = votre copaiement fixe
SHARE-COPAY-ONCE = Votre police prévoit un copaiement fixe, une seule fois pour tous les soins d'une visite, d'un jour ou d'une année.
    .told = Votre police prévoit un copaiement fixe de { $change }, une seule fois pour tous les soins d'une visite, d'un jour ou d'une année.
    .part = votre copaiement fixe
SHARE-LEAST = Votre police laisse un montant minimal à votre charge, une seule fois pour tous les soins d'une visite, d'un jour ou d'une année.
    .told = Votre police laisse au moins { $least } à votre charge, une seule fois pour tous les soins d'une visite, d'un jour ou d'une année ; votre ticket modérateur est donc de { $after } au lieu de { $before }.
    .part = le minimum que votre police laisse à votre charge
SHARE-RATE = Un pourcentage du montant reconnu est votre ticket modérateur.
    .told = Selon votre police, { $rate } de { $of }, soit { $change }, sont votre ticket modérateur.
    .part = votre ticket modérateur
SHARE-PAID = C'est ce que l'assureur prend en charge avant de compter les plafonds.
    .told = { $how ->
        [whole] { $insurer } prend en charge la totalité des { $before } reconnus.
        [own] Sur les { $before } reconnus, { $cost_share } sont votre ticket modérateur. { $insurer } prend en charge { $after }.
        [rest] Votre assureur de base paie { $base }. { $insurer } prend en charge le reste des { $before } reconnus : { $after }.
        [offset] Ce que paie votre assureur de base, { $base }, vient d'abord en déduction de votre ticket modérateur de { $cost_share }. { $insurer } prend en charge { $after } sur les { $before } reconnus.
        [waive] Comme votre assureur de base paie { $base }, { $insurer } ne vous demande pas de ticket modérateur et prend en charge { $after } sur les { $before } reconnus.
       *[additive] Votre assureur de base paie { $base }, et { $cost_share } sont votre ticket modérateur. { $insurer } prend en charge ce qui reste des { $before } reconnus : { $after }.
    }
SHARE-ROUNDED = Votre police arrondit ce qu'elle paie.
    .told = { $insurer } arrondit ce qu'il paie à un multiple de { $to } : { $after } au lieu de { $before }.
    .part = ce que l'assureur arrondit
SHARE-OUT-OF-POCKET = Vous avez atteint le maximum que vous payez vous-même ; l'assureur paie donc davantage.
    .told = Vous avez atteint le maximum que vous payez vous-même (« { $limit } », il restait { $left }) ; { $insurer } paie donc { $after } au lieu de { $before }.

## Limits and other insurers

LIMIT-REACHED = Un plafond de votre police est atteint ; l'assureur paie donc moins.
    .told = Le solde de votre plafond « { $limit } » était de { $left } ; { $insurer } paie donc { $after } au lieu de { $before }.
    .part = au-delà du solde de votre plafond
COB-REDUCED = Un autre assureur en a déjà payé une partie ; celui-ci paie donc moins.
    .told = D'autres assureurs ont déjà payé { $paid_before }, et { $open } restent à payer ; { $insurer } paie donc { $after } au lieu de { $before }.
    .part = ce que les paiements des assureurs n'atteignent pas

## The bill

BILL-TOTAL = Le total de la facture n'est pas la somme de ses lignes. Ce sont les lignes qui comptent.
BILL-CURRENCY = La facture est dans une autre monnaie que la police de { $insurer } ; rien n'est donc payé.
    .part = la facture est dans une autre monnaie que votre police
BILL-EXCHANGED = La facture est dans une autre monnaie ; ses montants ont été convertis au taux du jour.
    .told = La facture est dans une autre monnaie. Ses montants ont été convertis au taux du { $on } : { $one } font { $worth }.
BILL-UNPRICED = La facture n'indique pas de prix ; rien n'a donc été calculé.
CODE-UNMAPPED = Un code de cette facture n'est pas encore connu. Il a été conservé et il est recherché ; votre facture n'attend pas.

## What the insurer said

INS-APPROVED = { $insurer } a donné son accord.
INS-ADJUSTED = { $insurer } a fixé un autre montant.
    .told = { $insurer } a décidé de payer { $after } au lieu de { $before }.
    .part = ce que l'assureur ne paie pas, par décision de sa part
INS-REFUSED = { $insurer } a refusé de payer.
    .told = { $insurer } a refusé de payer. Selon la police, c'étaient { $before }.
    .part = l'assureur a refusé de payer
INS-PENDED = { $insurer } décidera plus tard ; d'ici là, les montants peuvent changer.
INS-ASKED = { $insurer } a posé une question au prestataire. La décision attend la réponse.
INS-REMINDED = { $insurer } n'a pas décidé dans son délai et a reçu un rappel.
INS-SILENT = { $insurer } n'a pas répondu à temps.
INS-INVALID = La réponse de { $insurer } n'a pas pu être utilisée.
INS-STAND-IN = { $insurer } n'a pas pu être joint ; cette réponse a donc été donnée à sa place, comme convenu. Vous pouvez vous y fier.
INS-OVER-STAND-IN = { $insurer } n'a pas pu être joint, et le montant dépasse ce qui peut être répondu à sa place. La décision reste à prendre.

## The message

RES-USED = Ce qui vous avait été réservé à l'admission a été utilisé.
RES-GONE = La réservation faite à l'admission avait pris fin ; cette facture a donc été calculée à nouveau.
MSG-CORRECTED = Des faits connus plus tard ont changé cette décision : elle a été prise à nouveau.
MSG-APPEALED = Le prestataire a contesté cette décision. Elle reste valable jusqu'à ce que l'assureur l'ait réexaminée.
MSG-APPEAL-UPHELD = L'assureur a réexaminé ceci après une contestation et maintient sa décision.
MSG-APPEAL-CHANGED = L'assureur a réexaminé ceci après une contestation, et la décision a été prise à nouveau.
MSG-INACTIVE = Le prestataire indique que ceci est un brouillon, une annulation ou une erreur. C'est conservé, et sans effet.
MSG-CANCELLED = Le prestataire a retiré ceci. C'est désormais sans effet.
MSG-NOT-FOUND = Ce que le prestataire voulait retirer n'a pas été trouvé.
MSG-FINAL = Ceci ne peut plus être retiré.

## What the clinical rules find.

CLIN-AGE = Ce diagnostic ne se rencontre pas d'ordinaire à votre âge.
CLIN-SEX = Ce diagnostic ne se rencontre pas chez les personnes de votre sexe.
CLIN-DIAGNOSIS = Le diagnostic ne porte pas de code en vigueur, ou pas assez précis.
CLIN-EXCLUDES = Deux des diagnostics ne peuvent figurer ensemble : l'un exclut l'autre.
CLIN-CODE-FIRST = Un diagnostic figure avant la maladie qui en est la cause.
CLIN-USE-ADDITIONAL = Un diagnostic en demande un second à côté de lui, qui manque.
CLIN-INTERACTION = Deux des médicaments agissent l'un sur l'autre. Demandez conseil à votre médecin ou à votre pharmacien avant de les prendre ensemble.
CLIN-INDICATION = Aucun des diagnostics n'est de ceux pour lesquels ce médicament est habituellement donné.
CLIN-DUPLICATE = La même substance active figure deux fois, ou vous en avez encore chez vous dans un autre médicament.
CLIN-DOSE = La dose d'une journée dépasse la plus forte prévue pour ce médicament.
CLIN-DAYS-SUPPLY = La quantité ne correspond pas à la dose et aux jours qu'elle doit couvrir.
CLIN-UNITS = Plus d'unités de ce soin ont été indiquées pour une journée qu'il n'est vraisemblable.
CLIN-REFILL = Il devrait vous rester assez de ce médicament de la dernière fois.
CLIN-ONCE = Cet acte ne peut se faire qu'une fois dans une vie, et il a déjà été fait.
CLIN-PRESCRIPTION = L'ordonnance n'est pas valable à cette date.
INS-REVISED = Votre assureur l'a réexaminé de lui-même et a décidé à nouveau ; ceci est sa décision ultérieure.
