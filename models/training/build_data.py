#!/usr/bin/env python3
"""Builds the router's training, validation and test files (Python 3.11, standard library only).

    python3 build_data.py --out DIR [--groups 120000] [--seed 7]

Reads data/ beside this file; writes to DIR, one JSON object a line:
  train.jsonl  {"routes": [{"name", "description"}...], "items": [{"conversation": [{"role", "content"}...], "route", "source"}...]}
               A group: one set of routes, rendered once, with several conversations. Training embeds the routes of a group once
               for all of its conversations, which makes it some three times as fast as a set of routes for each.
  val_<part>.jsonl, test_<suite>.jsonl
               {"routes", "conversation", "route": a route's name or "other", "source"}

Held out for the tests, never trained on: all of BANKING77 and HWU64 (routes and utterances), CLINC150's domains `banking` and
`work`, every SGD service that only the SGD test or dev split has (and SGD's Banks), about every ninth of the first authored
route sets, whole, and every utterance that ends a test conversation.
Held out of the training sets for validation, with their routes: CLINC150's domain `auto_and_commute` (val_clinc), HINT3's mattress
shop (val_shop), SGD's RideSharing and Calendar (val_sgd), about every eighth of the other authored route sets, whole
(val_authored: those written to be hard; val_plain: what people type), and out-of-scope utterances (val_oos). Every choice (model, hyper-parameter, temperature) is made on these.

Suites: banking77, hwu64, clinc_unseen (domains banking and work), sgd_unseen (services not in training), oos (always
"other"), authored (held-out authored sets), mtbench (80 questions by category), clinc_seen (training's routes, new utterances).
"""
import argparse, collections, csv, gzip, hashlib, json, random, re, sys
from pathlib import Path

import authored as authored_files

HERE = Path(__file__).resolve().parent / 'data'
RAW = HERE / 'raw'
CLINC_HELD_OUT = {'banking', 'work'}
CLINC_VALIDATION = 'auto_and_commute'
SHOP_VALIDATION = 'sofmattress'
SGD_VALIDATION = {'RideSharing', 'Calendar'}
OTHER = 'other'
SUITE_SIZE = 500


# ---------------------------------------------------------------- reading
def gz_lines(path):
    with gzip.open(path, 'rt', encoding='utf-8') as f:
        return [x for x in f.read().split('\n')]


def norm(s):
    return ' '.join(re.findall(r"[\w']+", s.lower()))


def pairs(words):
    return {frozenset(p.split('~')) for p in words.split()}


# Never both in one set (their utterances overlap).
CONFUSE = pairs('''
calendar~meeting_schedule calendar_update~schedule_meeting reminder~todo_list reminder_update~todo_list_update
transactions~spending_history account_blocked~freeze_account nutrition_info~calories ingredients_list~recipe
distance~traffic cancel~no apr~interest_rate calendar~reminder calendar_update~reminder_update bill_balance~bill_due
food_last~cook_time user_name~change_user_name thank_you~goodbye where_are_you_from~who_made_you directions~distance
who_made_you~who_do_you_work_for date~next_holiday pay_bill~transfer pay_bill~bill_balance
insurance~insurance_change taxes~w2 report_fraud~transactions fun_fact~tell_joke cook_time~recipe
calendar_query~calendar_set calendar_set~lists_createoradd general_affirm~general_praise general_confirm~general_repeat
general_explain~general_repeat general_confirm~general_explain qa_factoid~qa_definition qa_currency~qa_maths
play_music~play_radio music_likeness~play_music takeaway_query~takeaway_order recommendation_locations~takeaway_query
recommendation_locations~takeaway_order transport_query~transport_ticket iot_hue_lightup~iot_hue_lighton
iot_hue_lightdim~iot_hue_lightoff iot_wemo_on~iot_hue_lighton iot_wemo_off~iot_hue_lightoff
general_dontcare~general_negate music_settings~play_music music_query~music_likeness email_querycontact~email_addcontact
datetime_query~datetime_convert general_repeat~music_settings qa_stock~qa_currency news_query~qa_factoid
recommendation_movies~recommendation_events transport_query~transport_traffic transport_query~recommendation_locations
email_query~social_query general_commandstop~audio_volume_mute qa_definition~general_explain
SearchCreativeWork~SearchScreeningEvent PlayMusic~SearchCreativeWork
card_arrival~card_delivery_estimate exchange_rate~card_payment_wrong_exchange_rate
card_payment_wrong_exchange_rate~wrong_exchange_rate_for_cash_withdrawal pending_transfer~transfer_not_received_by_recipient
balance_not_updated_after_bank_transfer~transfer_not_received_by_recipient pending_transfer~transfer_timing
transfer_timing~transfer_not_received_by_recipient balance_not_updated_after_bank_transfer~pending_transfer
balance_not_updated_after_bank_transfer~transfer_timing failed_transfer~declined_transfer failed_transfer~beneficiary_not_allowed
declined_transfer~beneficiary_not_allowed top_up_failed~top_up_reverted top_up_failed~pending_top_up
top_up_reverted~pending_top_up topping_up_by_card~pending_top_up topping_up_by_card~top_up_failed
topping_up_by_card~top_up_reverted virtual_card_not_working~getting_virtual_card virtual_card_not_working~declined_card_payment
getting_virtual_card~get_disposable_virtual_card getting_virtual_card~order_physical_card get_physical_card~change_pin
verify_my_identity~why_verify_identity verify_my_identity~unable_to_verify_identity why_verify_identity~unable_to_verify_identity
verify_source_of_funds~verify_my_identity fiat_currency_support~supported_cards_and_currencies fiat_currency_support~exchange_via_app
exchange_via_app~exchange_rate exchange_via_app~exchange_charge receiving_money~transfer_into_account
extra_charge_on_statement~card_payment_fee_charged extra_charge_on_statement~transaction_charged_twice
compromised_card~lost_or_stolen_card compromised_card~card_payment_not_recognised lost_or_stolen_card~lost_or_stolen_phone
Refund_not_showing_up~request_refund reverted_card_payment?~declined_card_payment reverted_card_payment?~request_refund
reverted_card_payment?~Refund_not_showing_up direct_debit_payment_not_recognised~card_payment_not_recognised
cash_withdrawal_not_recognised~card_payment_not_recognised card_not_working~contactless_not_working
card_not_working~declined_card_payment card_linking~activate_my_card card_about_to_expire~getting_spare_card
getting_spare_card~order_physical_card transfer_fee_charged~top_up_by_bank_transfer_charge
transfer_into_account~top_up_by_bank_transfer_charge transfer_timing~transfer_into_account
top_up_by_card_charge~supported_cards_and_currencies topping_up_by_card~supported_cards_and_currencies
top_up_by_cash_or_cheque~balance_not_updated_after_cheque_or_cash_deposit card_acceptance~country_support card_acceptance~atm_support
visa_or_mastercard~order_physical_card pin_blocked~change_pin pin_blocked~passcode_forgotten
verify_top_up~topping_up_by_card country_support~age_limit exchange_charge~card_payment_fee_charged
wrong_amount_of_cash_received~pending_cash_withdrawal declined_cash_withdrawal~pending_cash_withdrawal
cash_withdrawal_charge~extra_charge_on_statement card_payment_fee_charged~transfer_fee_charged
receiving_money~fiat_currency_support automatic_top_up~top_up_limits disposable_card_limits~get_disposable_virtual_card
cancel_transfer~request_refund receiving_money~supported_cards_and_currencies pending_card_payment~declined_card_payment
pending_card_payment~reverted_card_payment? get_physical_card~order_physical_card
ORDER_STATUS~DELAY_IN_PARCEL ORDER_STATUS~DELAY_IN_DELIVERY COMPARISON~ERGO_FEATURES RETURN_EXCHANGE~100_NIGHT_TRIAL_OFFER
CHECK_PINCODE~DISTRIBUTORS SIZE_CUSTOMIZATION~WHAT_SIZE_TO_ORDER ACCOUNT_NOT_VERIFIED~WHY_VERIFY ACCOUNT_NOT_VERIFIED~VERIFY_EMAIL
ACCOUNT_NOT_VERIFIED~VERIFY_MOBILE ACCOUNT_NOT_VERIFIED~VERIFY_PAN VERIFY_EMAIL~NO_EMAIL_CONFIRMATION
CHECK_DEPOSIT_STATUS~DEDUCTED_AMOUNT_NOT_RECEIVED WITHDRAWAL_STATUS~INSTANT_WITHDRAWAL FAIRPLAY_VIOLATIONS~FAKE_TEAMS
APPRECIATION~CRITICISM
''')
# Hard negatives of one another: together is fine, but one alone may not stand for the missing other.
NEAR = pairs('''
alarm~reminder_update bill_balance~min_payment pay_bill~bill_due meal_suggestion~recipe restaurant_suggestion~meal_suggestion
restaurant_suggestion~restaurant_reviews time~timezone exchange_rate~international_fees directions~traffic directions~uber
current_location~share_location order~shopping_list_update shopping_list~shopping_list_update todo_list~todo_list_update
order~order_status play_music~next_song what_song~play_music update_playlist~play_music cancel~cancel_reservation maybe~no
yes~maybe yes~no payday~income taxes~income pto_balance~pto_used pto_request~pto_request_status pto_request~pto_balance
credit_limit~credit_limit_change redeem_rewards~rewards_balance credit_score~improve_credit_score new_card~application_status
damaged_card~report_lost_card replacement_card_duration~report_lost_card replacement_card_duration~damaged_card
replacement_card_duration~new_card card_declined~account_blocked what_is_your_name~change_ai_name change_language~translate
change_accent~change_language change_volume~whisper_mode change_speed~change_accent tire_change~tire_pressure
schedule_maintenance~oil_change_when schedule_maintenance~tire_change schedule_maintenance~last_maintenance gas~mpg gas~gas_type
oil_change_when~last_maintenance oil_change_when~oil_change_how confirm_reservation~restaurant_reservation
accept_reservations~restaurant_reservation cancel_reservation~restaurant_reservation confirm_reservation~cancel_reservation
how_busy~accept_reservations how_busy~restaurant_reviews do_you_have_pets~what_are_your_hobbies smart_home~sync_device
definition~spelling measurement_conversion~calculator ingredient_substitution~ingredients_list ingredient_substitution~recipe
text~make_call meeting_schedule~schedule_meeting calendar~calendar_update calendar~todo_list reminder~reminder_update
pin_change~account_blocked report_lost_card~report_fraud timer~alarm travel_alert~travel_suggestion vaccines~international_visa
nutrition_info~ingredients_list calories~ingredients_list interest_rate~balance balance~transactions balance~spending_history
definition~translate exchange_rate~measurement_conversion mpg~gas_type distance~current_location carry_on~lost_luggage
are_you_a_bot~who_made_you how_old_are_you~where_are_you_from user_name~what_is_your_name change_user_name~change_ai_name
what_can_i_ask_you~are_you_a_bot greeting~what_can_i_ask_you greeting~goodbye greeting~thank_you insurance~taxes
schedule_meeting~meeting_schedule reset_settings~change_language reset_settings~sync_device repeat~cancel
calendar~next_holiday time~date book_flight~flight_status direct_deposit~transfer income~balance international_visa~travel_alert
tire_change~jump_start travel_notification~travel_alert international_fees~travel_notification calculator~exchange_rate
freeze_account~report_fraud freeze_account~report_lost_card bill_due~min_payment next_holiday~pto_request order~shopping_list
cancel~repeat card_declined~credit_limit report_fraud~account_blocked redeem_rewards~new_card apr~credit_limit
alarm_query~alarm_set alarm_set~calendar_set alarm_remove~alarm_query calendar_query~calendar_remove lists_query~lists_createoradd
lists_query~lists_remove play_podcasts~play_radio play_audiobook~play_podcasts music_query~play_music news_query~social_query
recommendation_events~recommendation_locations transport_taxi~transport_query transport_traffic~transport_taxi
email_query~email_sendemail audio_volume_up~audio_volume_down audio_volume_mute~audio_volume_down social_post~social_query
iot_hue_lightup~iot_hue_lightdim general_negate~general_commandstop general_affirm~general_confirm general_joke~play_game
iot_hue_lightchange~iot_hue_lightdim iot_hue_lightchange~iot_hue_lightup email_addcontact~email_sendemail play_game~play_music
cooking_recipe~qa_definition play_radio~news_query play_music~play_podcasts music_settings~audio_volume_up
PlayMusic~AddToPlaylist
CHECK_PINCODE~INTERNATIONAL_SHIPPING REFUNDS_RETURNS_REPLACEMENTS~CANCEL_ORDER REFUNDS_RETURNS_REPLACEMENTS~PAYMENT_AND_BILL
MODES_OF_PAYMENTS~PAYMENT_AND_BILL SIDE_EFFECT~ORIGINAL_PRODUCT EXPIRY_DATE~ORIGINAL_PRODUCT CALL_CENTER~WORK_FROM_HOME
STORE_INFORMATION~FRANCHISE STORE_INFORMATION~CALL_CENTER USER_GOAL_FORM~IMMUNITY SIGN_UP~USER_GOAL_FORM PORTAL_ISSUE~PAYMENT_AND_BILL
ORDER_STATUS~PAYMENT_AND_BILL DELAY_IN_DELIVERY~CANCEL_ORDER RETURN_EXCHANGE~CANCEL_ORDER EMI~COD OFFERS~MATTRESS_COST OFFERS~EMI
WARRANTY~RETURN_EXCHANGE DELAY_IN_PARCEL~CANCEL_ORDER DELAY_IN_PARCEL~REFUNDS_RETURNS_REPLACEMENTS
DELETE_PAN_CARD~VERIFY_PAN CHECK_DEPOSIT_STATUS~CHECK_WALLET_BALANCE CRITICISM~FAKE_TEAMS HOW_TO_PLAY~JOIN_CONTEST
HOW_TO_PLAY~HOW_POINTS_CALCULATED LESS_WINNINGS_AMOUNT~TAXES_ON_WINNINGS VERIFY_EMAIL~VERIFY_MOBILE VERIFY_PAN~VERIFY_MOBILE
WHY_VERIFY~VERIFY_PAN WHY_VERIFY~VERIFY_EMAIL WHY_VERIFY~VERIFY_MOBILE CHANGE_MOBILE_NUMBER~VERIFY_MOBILE ACCOUNT_RESET~ACCOUNT_NOT_VERIFIED
HOW_TO_PLAY~NEW_TEAM_PATTERN LESS_WINNINGS_AMOUNT~HOW_POINTS_CALCULATED LESS_WINNINGS_AMOUNT~WITHDRAWAL_STATUS
''')
# Routes of another corpus (or a whole domain) that may also fit, by topic.
TOPICS = {
    'weather': 'clinc:weather snips:GetWeather sgd:Weather hwu:weather_query',
    'music': 'clinc:what_song clinc:play_music clinc:update_playlist clinc:next_song snips:PlayMusic snips:AddToPlaylist '
             'snips:SearchCreativeWork sgd:Music hwu:play_music hwu:play_radio hwu:music_query hwu:music_likeness '
             'hwu:music_settings hwu:play_podcasts hwu:play_audiobook',
    'movies': 'snips:SearchCreativeWork snips:SearchScreeningEvent sgd:Movies sgd:Media hwu:recommendation_movies',
    'alarm': 'clinc:alarm clinc:reminder_update clinc:timer sgd:Alarm hwu:alarm_set hwu:alarm_query hwu:alarm_remove',
    'bank': 'clinc:transfer clinc:balance clinc:pay_bill sgd:Banks sgd:Payment',
    'calendar': 'clinc:calendar clinc:calendar_update clinc:meeting_schedule clinc:schedule_meeting clinc:reminder '
                'clinc:reminder_update sgd:Calendar hwu:calendar_set hwu:calendar_query hwu:calendar_remove',
    'events': 'clinc:travel_suggestion sgd:Events sgd:Travel sgd:Movies hwu:recommendation_events hwu:recommendation_locations',
    'flights': 'clinc:book_flight clinc:flight_status sgd:Flights',
    'hotels': 'clinc:book_hotel sgd:Hotels sgd:HouseStays',
    'stay': 'sgd:Homes sgd:HouseStays',
    'cars': 'clinc:car_rental sgd:RentalCars sgd:RideSharing',
    'food': 'clinc:restaurant_reservation clinc:restaurant_suggestion clinc:restaurant_reviews clinc:how_busy clinc:meal_suggestion '
            'clinc:accept_reservations clinc:confirm_reservation clinc:cancel_reservation snips:BookRestaurant sgd:Restaurants '
            'hwu:takeaway_order hwu:takeaway_query hwu:recommendation_locations',
    'ride': 'clinc:uber sgd:RideSharing hwu:transport_taxi',
    'trains': 'sgd:Trains sgd:Buses hwu:transport_query hwu:transport_ticket',
    'location': 'clinc:share_location clinc:current_location sgd:Messaging',
    'traffic': 'clinc:traffic clinc:directions clinc:distance hwu:transport_traffic hwu:transport_query sgd:RideSharing',
    'volume': 'clinc:change_volume clinc:whisper_mode hwu:audio_volume_up hwu:audio_volume_down hwu:audio_volume_mute',
    'date': 'clinc:date clinc:time clinc:timezone hwu:datetime_query hwu:datetime_convert',
    'lists': 'clinc:todo_list clinc:todo_list_update clinc:shopping_list clinc:shopping_list_update hwu:lists_query '
             'hwu:lists_createoradd hwu:lists_remove clinc:order',
    'math': 'clinc:calculator clinc:measurement_conversion hwu:qa_maths',
    'money': 'clinc:exchange_rate hwu:qa_currency clinc:calculator',
    'define': 'clinc:definition hwu:qa_definition hwu:qa_factoid clinc:fun_fact',
    'joke': 'clinc:tell_joke hwu:general_joke clinc:fun_fact',
    'repeat': 'clinc:repeat clinc:cancel clinc:yes clinc:no clinc:maybe clinc:thank_you hwu:general_repeat hwu:general_commandstop '
              'hwu:general_affirm hwu:general_negate hwu:general_dontcare hwu:general_praise hwu:general_explain hwu:general_confirm',
    'home': 'clinc:smart_home hwu:iot_hue_lighton hwu:iot_hue_lightoff hwu:iot_hue_lightup hwu:iot_hue_lightdim '
            'hwu:iot_hue_lightchange hwu:iot_wemo_on hwu:iot_wemo_off hwu:iot_coffee hwu:iot_cleaning',
    'cook': 'clinc:recipe clinc:ingredients_list clinc:cook_time clinc:ingredient_substitution clinc:nutrition_info clinc:calories '
            'clinc:food_last clinc:meal_suggestion hwu:cooking_recipe',
    'facts': 'hwu:qa_factoid clinc:fun_fact clinc:definition clinc:distance',
    'message': 'clinc:text clinc:make_call hwu:email_sendemail hwu:email_querycontact hwu:social_post',
    'cards': 'sgd:Payment clinc:transfer',
}
DOMAIN_TOPICS = {  # whole-domain routes also cover these topics
    'clinc:kitchen_and_dining': 'food cook', 'clinc:home': 'music calendar lists home', 'clinc:auto_and_commute': 'traffic ride cars',
    'clinc:travel': 'flights hotels cars events money trains stay', 'clinc:utility': 'weather alarm date math define location message',
    'clinc:banking': 'bank', 'clinc:work': 'calendar', 'clinc:small_talk': 'joke repeat facts', 'clinc:meta': 'volume repeat',
    'clinc:credit_cards': 'cards',
    'hwu:alarm': 'alarm', 'hwu:audio': 'volume', 'hwu:calendar': 'calendar alarm', 'hwu:cooking': 'cook', 'hwu:datetime': 'date',
    'hwu:email': 'message', 'hwu:general': 'joke repeat', 'hwu:iot': 'home', 'hwu:lists': 'lists', 'hwu:music': 'music',
    'hwu:news': 'facts', 'hwu:play': 'music', 'hwu:qa': 'define math money facts', 'hwu:recommendation': 'events food movies',
    'hwu:social': 'message', 'hwu:takeaway': 'food', 'hwu:transport': 'trains ride traffic', 'hwu:weather': 'weather',
}
CLOSERS = {'clinc:' + x for x in 'thank_you goodbye yes no maybe cancel repeat greeting small_talk meta'.split()} | {
    'hwu:' + x for x in 'general_affirm general_praise general_confirm general_negate general_dontcare general_commandstop '
    'general_repeat general_explain general'.split()}
CORP = {'clinc150': 'clinc', 'banking77': 'b77', 'hwu64': 'hwu', 'snips': 'snips', 'sgd': 'sgd', 'curekart': 'curekart',
        'sofmattress': 'sofmattress', 'powerplay11': 'powerplay11', 'askubuntu': 'askubuntu', 'webapps': 'webapps', 'mtbench': 'mtbench'}
# BANKING77 has no domains; clusters give hard negatives, and a missing route is only missed by another cluster.
B77_CLUSTERS = [('topup', r'top'), ('transfer', r'transfer|beneficiary|receiving_money'),
                ('cash', r'cash|atm|swallowed'), ('virtual', r'virtual|disposable'),
                ('identity', r'identity|source_of_funds|personal_details|age_limit|country|terminate'),
                ('exchange', r'exchange|fiat|supported_cards'),
                ('payment', r'payment|refund|charged_twice|extra_charge|direct_debit|compromised'), ('pin', r'pin|passcode|phone'),
                ('card', r'card')]


class Route:
    __slots__ = ('key', 'corpus', 'domain', 'level', 'names', 'descs', 'topics', 'intent')

    def __init__(self, corpus, intent, domain, level, names, descs):
        self.corpus, self.intent, self.domain, self.level = corpus, intent, domain, level
        self.names, self.descs = list(names), list(descs)
        self.key = f'{corpus}:{intent}' + (':domain' if level == 'domain' else '')
        base = f'{corpus}:{domain}' if corpus == 'sgd' else f'{corpus}:{intent}'
        self.topics = {t for t, v in TOPICS.items() if base in v.split()}
        if level == 'domain':
            self.topics |= set(DOMAIN_TOPICS.get(f'{corpus}:{intent}', '').split())
        if corpus == 'b77':
            self.topics |= {'bank', 'cards'}
        if corpus == 'clinc' and domain in ('banking', 'credit_cards'):
            self.topics |= {'anybank'}
        if corpus in ('curekart', 'sofmattress', 'powerplay11') or (corpus == 'clinc' and intent in ('order', 'order_status', 'home')):
            self.topics |= {'shop'}
        if corpus == 'powerplay11':
            self.topics |= {'anybank', 'repeat'}
        if corpus == 'webapps':
            self.topics |= {'message', 'calendar'}
        if corpus == 'b77' or (corpus == 'sgd' and domain in ('Banks', 'Payment')):
            self.topics |= {'anybank'}


def clash(a, b, strict):
    """May route b also fit what belongs to route a? strict: a is absent, so near relatives count as well."""
    if a.key == b.key:
        return True
    if a.corpus == b.corpus:
        if a.corpus == 'sgd':
            return clash_sgd(a, b, strict)
        if a.level != b.level:
            return a.domain == b.domain or bool(strict and a.topics & b.topics)
        if a.level == 'domain':
            return False
        p = frozenset((a.intent, b.intent))
        if p in CONFUSE:
            return True
        if strict:
            if a.corpus == 'b77':
                return a.domain == b.domain
            return p in NEAR
        return False
    return bool(a.topics & b.topics)


def clash_sgd(a, b, strict):
    if a.level == 'domain' or b.level == 'domain':
        return a.domain == b.domain or bool(a.topics & b.topics)
    if a.domain == b.domain:
        kind_a, kind_b = a.intent.split('.')[1], b.intent.split('.')[1]
        return strict or kind_a == kind_b
    return bool(a.topics & b.topics)


def load_routes():
    R = {}
    for r in json.load(open(HERE / 'intents.json', encoding='utf-8')):
        c = CORP[r['corpus']]
        dom = r['domain']
        if c == 'b77':
            dom = next((k for k, p in B77_CLUSTERS if re.search(p, r['intent'])), 'misc')
        x = Route(c, r['intent'], dom, r['level'], r['names'], r['descriptions'])
        R[x.key] = x
    return R


# ---------------------------------------------------------------- wording
def words_of(name):
    s = re.sub(r'(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])', ' ', name)
    return [w for w in re.split(r'[^A-Za-z0-9]+', s) if w]


def style_name(name, style):
    w = [x.lower() for x in words_of(name)]
    if style == 'kebab':
        return '-'.join(w)
    if style == 'camel':
        return w[0] + ''.join(x.capitalize() for x in w[1:])
    if style == 'pascal':
        return ''.join(x.capitalize() for x in w)
    if style == 'title':
        return ' '.join(w).capitalize()
    if style == 'upper':
        return '_'.join(w).upper()
    if style == 'plain':
        return ' '.join(w)
    return '_'.join(w)


STYLES = ['snake'] * 56 + ['kebab'] * 22 + ['camel'] * 6 + ['pascal'] * 4 + ['title'] * 3 + ['upper'] * 2 + ['plain'] * 3 + ['asis'] * 4
OPAQUE = [lambda i: f'route_{i + 1}', lambda i: f'route-{chr(97 + i)}', lambda i: f'r{i + 1}', lambda i: f'topic_{i + 1}',
          lambda i: f'expert_{i + 1}', lambda i: f'model_{chr(97 + i)}', lambda i: f'intent{i + 10}', lambda i: f'agent-{i + 1}']
SHORT_TEMPLATES = ['{S}'] * 8 + ['{S}.'] * 2 + ['{s}'] * 4 + ['Questions and requests about {s}', 'Anything to do with {s}', 'Requests about {s}',
                   'Queries concerning {s}.', 'The user needs help with {s}', 'Topic: {s}', 'Handles {s}', 'For {s}', 'User asks for {s}']
LONG_TEMPLATES = ['{L}'] * 10 + ['{L}.'] * 4


def cap(s):
    return s[:1].upper() + s[1:]


def uncap(s):
    return s if len(s) > 1 and s[1].isupper() else s[:1].lower() + s[1:]


def render_desc(route, kind, rng):
    descs = route.descs
    if route.corpus == 'sgd':
        d = rng.choice(descs).rstrip('.')
        return d + '.' if rng.random() < .2 else d
    short, long = descs[0], rng.choice(descs[1:])
    k = kind if kind != 'mix' else rng.choice(['short', 'long', 'long', 'both'])
    if k == 'short':
        return rng.choice(SHORT_TEMPLATES).format(s=short, S=cap(short))
    if k == 'both':
        return rng.choice([f'{cap(short)}: {uncap(long)}', f'{cap(short)}. {cap(long)}.', f'{cap(long)} ({short})'])
    return rng.choice(LONG_TEMPLATES).format(L=cap(long))


def render_set(routes, rng, plain=False):
    """-> {key: (name, description)} with distinct names."""
    style = rng.choice(STYLES) if not plain else rng.choice(['snake'] * 7 + ['kebab'] * 3)
    kind = rng.choice(['short', 'long', 'long', 'mix', 'mix'])
    opaque = None if plain or rng.random() > .06 else rng.choice(OPAQUE)
    prefix = (not plain) and opaque is None and style in ('snake', 'kebab') and rng.random() < .05
    sep = rng.choice('/.:')
    bare = not plain and opaque is None and rng.random() < .015     # a description that only repeats the name
    out, used = {}, {OTHER}
    order = list(range(len(routes)))
    rng.shuffle(order)
    for i, r in enumerate(routes):
        if opaque:
            name = opaque(order[i])
        else:
            for _ in range(8):
                raw = rng.choice(r.names)
                name = raw if style == 'asis' else style_name(raw, style)
                if prefix:
                    name = f"{style_name(r.domain, style)}{sep}{name}" if r.level == 'intent' and r.corpus != 'b77' else name
                if name.lower() not in used:
                    break
            else:
                name = name + ('_2' if style != 'kebab' else '-2')
        used.add(name.lower())
        desc = cap(' '.join(words_of(name)).lower()) if bare else render_desc(r, kind if not opaque else rng.choice(['long', 'mix']), rng)
        out[r.key] = (name, desc)
    return out


def typo(s, rng):
    if len(s) < 8:
        return s
    i = rng.randrange(1, len(s) - 2)
    return rng.choice([s[:i] + s[i + 1:], s[:i] + s[i + 1] + s[i] + s[i + 2:], s[:i] + s[i] + s[i:]])


QW = re.compile(r"^(what|who|where|when|why|how|which|is|are|am|do|does|did|can|could|will|would|should|have|has|whats|what's|when's|"
                r"where's|who's|how's)\b", re.I)


def dress(u, rng, p=.4):
    """Crowd-worker utterances are all lower case without punctuation: give a share of them ordinary spelling."""
    x = rng.random()
    if x < p:
        u = cap(u)
        u = re.sub(r"\bi\b", 'I', u)
        if u[-1].isalnum():
            u += '?' if QW.match(u) else rng.choice(['.', '.', '', '!'])
    elif x < p + .06:
        u = typo(u, rng)
    elif x < p + .12:
        u = rng.choice(['hey, ', 'hi, ', 'ok, ', 'please, ', 'hello! ', 'hey there, ', 'quick question: ', 'one thing: ', 'so, ', 'um, ']) + u
    elif x < p + .14:
        u = u.upper() if rng.random() < .3 else u + rng.choice([' please', ' pls', ' thanks', ' if you can', ' asap', '??', ' ...'])
    return u


# ---------------------------------------------------------------- sampling sets
def n_routes(rng):
    return rng.choice([2] * 4 + [3] * 16 + [4] * 20 + [5] * 20 + [6] * 16 + [7] * 12 + [8] * 6 + [9] * 3 + [10] * 3)


def fill(base, pool_hard, pool_easy, k, rng, target, strict, hard_share, avoid=()):
    """Adds routes to base until it has k, none of which may fit what belongs to `target`."""
    chosen = list(base)
    keys = {r.key for r in chosen}
    hard = [r for r in pool_hard if r.key not in keys]
    easy = [r for r in pool_easy if r.key not in keys]
    tries = 0
    while len(chosen) < k and tries < 200 and (hard or easy):
        tries += 1
        pool = hard if hard and (rng.random() < hard_share or not easy) else easy
        r = rng.choice(pool)
        if r.key in keys or any(clash(t, r, strict) for t in target) or r.key in avoid:
            continue
        if any(clash(r, o, False) and r.corpus != o.corpus for o in chosen):  # no near copies across corpora
            continue
        if any(frozenset((r.intent, o.intent)) in CONFUSE for o in chosen if o.corpus == r.corpus and o.level == r.level):
            continue
        if r.corpus == 'sgd' and any(o.corpus == 'sgd' and o.domain == r.domain and (o.level != r.level or
                                     o.intent.split('.')[-1] == r.intent.split('.')[-1]) for o in chosen):
            continue
        chosen.append(r)
        keys.add(r.key)
    return chosen


class World:
    """One side (train or a test suite) of the intent corpora: which routes exist and which utterances they have."""

    def __init__(self, R, utts, phrases, rng, train, closings, extra=()):
        self.R, self.utts, self.ph, self.rng, self.train, self.closings = R, utts, phrases, rng, train, closings
        self.intents = [R[k] for k in utts]
        self.weights = [min(1, len(utts[k]) / (60 if train else 10)) for k in utts]
        self.extra = list(extra)                       # routes without utterances of their own: distractors only
        self.domains = {}
        for r in list(R.values()):
            if r.level == 'domain' and r.corpus in {i.corpus for i in self.intents} and r.corpus != 'sgd':
                if any(i.domain == r.domain and i.corpus == r.corpus for i in self.intents + self.extra):
                    self.domains[(r.corpus, r.domain)] = r

    def utt(self, r):
        u = self.rng.choice(self.utts[r.key])
        return dress(u, self.rng) if r.corpus in ('clinc', 'snips', 'hwu') else u

    def reply(self, r, kind=None):
        rng, ph = self.rng, self.ph
        kind = kind or rng.choices(['info', 'done', 'topic', 'clarify', 'fail'], [40, 26, 16, 9, 9])[0]
        if kind == 'topic':
            t = r.descs[0] if r.corpus != 'sgd' else uncap(r.descs[-1].rstrip('.'))
            return rng.choice(ph['topic']).format(topic=t)
        return rng.choice(ph[kind])

    def routes_for(self, target, strict, must=(), avoid=(), plan=None):
        """A set of routes in which `target`'s intent is answered by (or, strict, is answered by none of) the routes.
        -> (routes, answering route or None)"""
        rng = self.rng
        k = n_routes(rng)
        own = self.domains.get((target.corpus, target.domain))
        same = [r for r in self.intents if r.corpus == target.corpus and r.domain == target.domain]
        others = [r for r in self.intents + self.extra if not (r.corpus == target.corpus and r.domain == target.domain)]
        corp = [r for r in others if r.corpus == target.corpus]
        doms = [d for d in self.domains.values() if d.corpus == target.corpus]
        if plan is None:
            plan = rng.choices(['intent', 'domain', 'mixed', 'fallback'], [64, 16, 9, 11])[0] if own is not None else 'intent'
        if own is None:
            plan = 'intent'
        must = [m for m in must if not clash(target, m, strict)]
        easy = rng.choice([corp or others, others, others])
        if plan == 'domain':
            base = [] if strict else [own]
            k = min(k, len(doms))
            chosen = fill(base, [d for d in doms if d is not own], [], max(k, 2), rng, [target] if strict else [own], strict, 1.0, avoid)
            if strict:
                chosen = [c for c in chosen if not (c.topics & target.topics)]
            return chosen, (None if strict else own)
        if plan == 'mixed':
            base = ([] if strict else [target]) + list(must)[:1]
            easy = [d for d in doms if d is not own and not (d.topics & target.topics)]
            return fill(base, same, easy, k, rng, [target], strict, .45, avoid), (None if strict else target)
        if plan == 'fallback' and not strict:          # domain route as catch-all beside some of its intents
            answer = target if rng.random() < .5 else own
            base = [own] + ([target] if answer is target else [])
            hard = [r for r in same if r is not target and not (answer is own and clash(target, r, True))]
            chosen = fill(base, hard, [r for r in easy if not r.topics & own.topics], k, rng, [], False, .6, avoid)
            chosen = [c for c in chosen if c in base or not clash(target, c, answer is own)]
            return chosen, answer
        base = ([] if strict else [target]) + list(must)[:2]
        return fill(base, same, easy, k, rng, [target], strict, rng.choice([.15, .35, .5, .7, .9]), avoid), (None if strict else target)

    def example(self, p_other=.16, p_multi=.2, plan=None):
        rng = self.rng
        target = rng.choices(self.intents, self.weights)[0]
        x = rng.random()
        if x < p_other:
            kind = rng.choices(['absent', 'closing'], [62, 38])[0]
        else:
            kind = 'in'
        src = target.corpus
        if kind == 'closing':
            if target.key in CLOSERS:
                return None
            conv = []
            for t in ([rng.choice(self.intents)] if rng.random() < .25 else []) + [target]:
                conv += [('user', self.utt(t)), ('assistant', self.reply(t, rng.choice(['info', 'info', 'done', 'topic'])))]
            conv.append(('user', rng.choice(self.closings)))
            routes, _ = self.routes_for(target, False, avoid=CLOSERS, plan=plan)
            if any(r.key in CLOSERS or r.key.removesuffix(':domain') in CLOSERS for r in routes):
                return None
            return self.finish(routes, None, conv, f'{src}:closing')
        multi = rng.random() < p_multi
        conv, must, avoid = [], [], set()
        last = self.utt(target)
        follow = False
        if multi:
            for _ in range(rng.choice([1, 1, 1, 2, 2, 3])):
                prev = rng.choice([r for r in self.intents if r.domain == target.domain]) if rng.random() < .35 else rng.choices(self.intents, self.weights)[0]
                if rng.random() < .65:
                    must.append(prev)
                conv += [('user', self.utt(prev)), ('assistant', self.reply(prev))]
            if rng.random() < .33 and target.key not in CLOSERS and target.domain not in ('small_talk', 'meta', 'general'):
                follow = True
                done = rng.random() < .4
                conv = conv[-2 * rng.choice([0, 0, 1, 2]):] if rng.random() < .7 else []
                conv += [('user', last), ('assistant', self.reply(target, 'done' if done else rng.choice(['info', 'topic', 'info', 'clarify', 'fail'])))]
                last = rng.choice(self.ph['follow_act' if done else 'follow_info'])
                avoid = CLOSERS
        conv.append(('user', last))
        if kind == 'absent':
            if target.key in CLOSERS:                  # "hi there", "thanks" with no route for small talk
                if multi:
                    return None
                avoid = CLOSERS
            routes, ans = self.routes_for(target, True, must=must, avoid=avoid, plan=plan)
            src += ':absent'
        else:
            routes, ans = self.routes_for(target, False, must=must, avoid=avoid, plan=plan)
        if avoid and any(r.key.removesuffix(':domain') in avoid or (r.domain in ('small_talk', 'meta') and r.level == 'domain') for r in routes):
            return None
        if follow:
            src += ':followup'
        elif multi:
            src += ':shift'
        return self.finish(routes, ans, conv, src)

    def finish(self, routes, ans, conv, src):
        if len(routes) < 2 or (ans is not None and ans not in routes):
            return None
        routes = list(routes)
        self.rng.shuffle(routes)
        w = render_set(routes, self.rng, plain=not self.train)
        if len({n for n, _ in w.values()}) != len(routes):
            return None
        example = {'routes': [{'name': w[r.key][0], 'description': w[r.key][1]} for r in routes],
                   'conversation': [{'role': a, 'content': b} for a, b in conv],
                   'route': w[ans.key][0] if ans else OTHER, 'source': src}
        if self.train:
            example['more'] = self.more(routes, w)
        return example

    def more(self, routes, words, most=5):
        """Conversations for the other routes of a set: those whose utterances no second route of the set could claim."""
        rng, out = self.rng, []
        for r in rng.sample(routes, len(routes)):
            speaker = r
            if r.level == 'domain':
                own = [i for i in self.intents if i.corpus == r.corpus and i.domain == r.domain]
                speaker = rng.choice(own) if own else None
            if speaker is None or not self.utts.get(speaker.key) or len(out) == most:
                continue
            if any(o is not r and clash(speaker, o, False) for o in routes):
                continue
            conv = [('user', self.utt(speaker))]
            src = f'{r.corpus}:more'
            if rng.random() < .15:
                prev = rng.choice(self.intents)
                conv = [('user', self.utt(prev)), ('assistant', self.reply(prev))] + conv
            out.append({'conversation': [{'role': a, 'content': b} for a, b in conv], 'route': words[r.key][0], 'source': src})
        return out


# ---------------------------------------------------------------- SGD


def sgd_family(service):
    f, n = service.rsplit('_', 1)
    if f == 'Services':
        return service
    if service.startswith('Hotels_2'):
        return 'HouseStays'
    return f


class SGD:
    def __init__(self, R):
        self.service_routes, self.intent_routes, self.splits = {}, {}, collections.defaultdict(set)
        by = {}
        for sp in ('train', 'dev', 'test'):
            for v in ('', '_v1', '_v2', '_v3', '_v4', '_v5'):
                for s in json.load(open(RAW / 'sgd' / f'schema_{sp}{v}.json', encoding='utf-8')):
                    name = s['service_name']
                    base = name if not v else name[:-1]
                    if not v:
                        self.splits[base].add(sp)
                    by.setdefault(base, {})[v] = s
        unseen = {b for b, sp in self.splits.items() if 'train' not in sp}
        seen_families = {sgd_family(b) for b in by if b not in unseen}
        for base, vs in by.items():
            fam = sgd_family(base)
            mine = R.get(f'sgd:{fam}:domain')
            descs = [s['description'] for s in vs.values()] + (mine.descs * 2 if mine and not (base in unseen and fam in seen_families) else [])
            self.service_routes[base] = Route('sgd', fam, fam, 'domain', mine.names if mine else [fam], descs)
            self.service_routes[base].key = f'sgd:{base}'
            for i, it in enumerate(vs['']['intents']):
                m = None
                for key in (f'sgd:{base}.{it["name"]}', f'sgd:{base.rsplit("_", 1)[0]}.{it["name"]}'):
                    m = m or R.get(key)
                if base in unseen and fam in seen_families and len(vs) > 1:
                    m = None
                names = list(m.names) if m else []
                d = (list(m.descs) * 2 if m else [])
                for v, s in vs.items():
                    if len(s['intents']) != len(vs['']['intents']) or s['intents'][i]['is_transactional'] != it['is_transactional']:
                        continue
                    n, ds = s['intents'][i]['name'], s['intents'][i]['description']
                    text = (n + ' ' + ds).lower()
                    if fam.startswith('Services') and not re.search(r'hair|stylist|salon|dent|doctor|physician|medical|therap|psych|counsel', text):
                        continue
                    if fam in ('Homes', 'HouseStays', 'Hotels', 'Flights', 'Trains', 'Buses', 'RentalCars', 'Media', 'Movies', 'Music', 'Events', 'Restaurants', 'Alarm', 'Weather', 'RideSharing', 'Payment', 'Calendar') and not re.search(
                            {'Homes': 'apartment|home|house|propert|rental', 'HouseStays': 'house|home|rental|stay|lodging|accommodation', 'Hotels': 'hotel|room|accommodation',
                             'Flights': 'flight|fly|plane|air|trip', 'Trains': 'train|rail', 'Buses': 'bus|coach', 'RentalCars': 'car|vehicle|rental', 'Media': 'movie|film|watch',
                             'Movies': 'movie|film|cinema|show', 'Music': 'song|music|track|tune|album', 'Events': 'event|concert|game|ticket|play',
                             'Restaurants': 'restaurant|table|dining|eat|food', 'Alarm': 'alarm', 'Weather': 'weather|forecast', 'RideSharing': 'ride|cab|taxi',
                             'Payment': 'pay|money|fund|transfer', 'Calendar': 'calendar|event|available|schedule|appointment|time'}[fam], ds.lower()):
                        continue
                    names.append(n)
                    d.append(ds)
                d = [x for x in d if x]
                r = Route('sgd', f'{base}.{it["name"]}', fam, 'intent', names or [it['name']], d or [it['description']])
                self.intent_routes[(base, it['name'])] = r
        # intent route clash works on the intent's kind
        self.unseen = {s for s, sp in self.splits.items() if 'train' not in sp}
        self.train_services = {s for s in self.splits if s not in self.unseen and not s.startswith('Banks')}

    def dialogues(self, split):
        for line in gz_lines(RAW / 'sgd' / f'dialogues_{split}.jsonl.gz'):
            if line:
                yield json.loads(line)


def sgd_cut(d):
    """Points at which a dialogue can be cut: (index, kind, service, intent, index where that intent began)."""
    out, cur, began = [], None, 0
    for i, (sp, text, frames) in enumerate(d['turns']):
        if sp != 'U':
            continue
        acts = {a for f in frames for a in f[2]}
        new = [f for f in frames if {'INFORM_INTENT', 'AFFIRM_INTENT'} & set(f[2]) and f[1] not in (None, 'NONE')]
        live = [f for f in frames if f[1] not in (None, 'NONE')]
        if new:
            f = new[0]
            if len(new) > 1:
                cur = None
                continue
        elif len(live) == 1 and len(frames) == 1:
            f = live[0]
        else:
            f = None
        if acts <= {'THANK_YOU', 'GOODBYE', 'NEGATE', 'NEGATE_INTENT'} and acts & {'THANK_YOU', 'GOODBYE', 'NEGATE_INTENT'}:
            if i > 0 and cur:
                out.append((i, 'close', cur[0], cur[1], began))
            continue
        if acts == {'GOODBYE', 'SELECT'} and i > 0 and cur:
            out.append((i, 'close', cur[0], cur[1], began))
            continue
        if f is None:
            continue
        s = (f[0], f[1])
        if s != cur:
            began, kind = i, ('first' if i == 0 else 'switch')
        else:
            kind = 'same'
        cur = s
        if acts <= {'SELECT', 'THANK_YOU'}:
            continue                                   # "that sounds good": no telling what is wanted
        if kind == 'switch' and not new:
            kind = 'same'
        if kind == 'switch' and 'AFFIRM_INTENT' in acts:
            kind = 'affirm'
        out.append((i, kind, s[0], s[1], began, acts))
    return out


def sgd_example(sgd, d, rng, services, phrases, train, want_unseen=None, extra=()):
    cuts = sgd_cut(d)
    wts = {'first': 14, 'switch': 40, 'affirm': 6, 'same': 10, 'close': 5}
    cuts = [c for c in cuts if (want_unseen is None or c[2] in want_unseen) and c[2] in services]
    if not cuts:
        return None
    c = rng.choices(cuts, [wts[x[1]] for x in cuts])[0]
    i, kind, svc, intent, began = c[:5]
    acts = c[5] if len(c) > 5 else set()
    turns = d['turns']
    if kind in ('first', 'switch') and rng.random() < .45:
        start = i                                      # the utterance alone says what is wanted
        if kind == 'switch' and re.search(r'\b(it|that|there|this|them|one)\b', turns[i][1].lower()):
            start = max(0, i - 2)
    elif kind in ('same', 'affirm'):
        start = began if kind == 'same' else max(0, i - 4)
    else:
        start = rng.choice([max(0, i - 2), max(0, i - 4), max(0, i - 6), 0])
    if turns[start][0] != 'U':
        start += 1
    if i - start > 12:
        return None
    conv = [('user' if t[0] == 'U' else 'assistant', t[1]) for t in turns[start:i + 1]]
    if train is False and len(conv[-1][1].split()) < 4 and kind != 'close':
        return None
    fam = sgd_family(svc)
    tgt_i, tgt_s = sgd.intent_routes[(svc, intent)], sgd.service_routes[svc]
    present = sorted(s for s in set(d['services']) if s in services)
    level = 'intent' if rng.random() < .68 else 'service'
    other_services = [s for s in sorted(services) if sgd_family(s) != fam]
    k = n_routes(rng)
    strict = kind != 'close' and rng.random() < .13
    if level == 'service':
        target = tgt_s
        base = [] if strict else [target]
        hard = [sgd.service_routes[s] for s in present if s != svc]
        easy = [sgd.service_routes[s] for s in other_services] + list(extra)
    else:
        target = tgt_i
        base = [] if strict else [target]
        sib_ok = kind in ('first', 'switch', 'affirm') or (acts and acts <= {'INFORM', 'REQUEST_ALTS', 'AFFIRM', 'NEGATE'})
        sib = [r for (s, n), r in sgd.intent_routes.items() if s == svc and n != intent] if sib_ok and not strict else []
        hard = sib * 2 + [r for (s, n), r in sgd.intent_routes.items() if s in present and s != svc]
        easy = [r for (s, n), r in sgd.intent_routes.items() if s in other_services] + list(extra)
    routes = fill(base, hard, easy, k, rng, [target], strict, rng.choice([.3, .6, .9]))
    if len(routes) < 2 or any(r.key.removesuffix(':domain') in CLOSERS for r in routes):
        return None
    rng.shuffle(routes)
    w = render_set(routes, rng, plain=not train)
    if len({n for n, _ in w.values()}) != len(routes):
        return None
    ans = OTHER if strict or kind == 'close' else w[target.key][0]
    fresh = fam in ('Alarm', 'Messaging', 'Payment', 'Trains')
    return {'routes': [{'name': w[r.key][0], 'description': w[r.key][1]} for r in routes],
            'conversation': [{'role': a, 'content': b} for a, b in conv], 'route': ans,
            'source': f"sgd:{'absent' if strict else kind}" + (':' + level if train else ':newdomain' if fresh else ':newservice')}


# ---------------------------------------------------------------- authored sets
CATCH_ALL = re.compile(r'general|misc|fallback|default|any other|everything|chit|small.?talk|casual|conversation|greet|thank|feedback|'
                       r'\b(trivial|simple|quick|easy|cheap|fast|difficult|demanding|complex|hard|model)\b', re.I)


def load_first_sets():
    """The lines of data/authored/*.jsonl: all for training, but for about every ninth set, which is for the test suite `authored`."""
    sets, lines = {}, []
    for p in sorted((HERE / 'authored').glob('routesets*.json')):
        for s in json.load(open(p, encoding='utf-8')):
            sets[s['id']] = s['routes']
    for p in sorted((HERE / 'authored').glob('*.jsonl')):
        for line in open(p, encoding='utf-8'):
            x = json.loads(line)
            split = 'test' if int(hashlib.md5(x['set'].encode()).hexdigest(), 16) % 9 == 0 else 'train'
            lines.append({**x, 'routes': sets[x['set']], 'group': x['set'], 'split': split})
    return lines


# Files of data/authored/*.txt by their first letter: those written to be hard. The others are plain requests.
HARD = 'abcde'


def load_sets():
    """The lines of data/authored/*.txt: all for training, but for about every eighth set, which is for validation."""
    lines = []
    for p in sorted((HERE / 'authored').glob('*.txt')):
        for name, routes, items in authored_files.read_sets(p):
            kept = int(hashlib.md5(name.encode()).hexdigest(), 16) % 8 == 0
            shown = [{'name': r['name'], 'description': r['description']} for r in routes] if kept else routes
            for label, conversation in items:
                lines.append({'group': name, 'routes': shown, 'conversation': conversation, 'route': label, 'source': f'authored-{p.stem}',
                              'part': 'authored' if p.stem[0] in HARD else 'plain',
                              'split': 'validation' if kept else 'train'})
    return lines


def authored_group(lines, rng, phrases, closings, extra, most=6):
    """A group of training examples from the lines of one authored set: a part of its routes, now and then without the right one
    of some lines, restyled names, an earlier exchange of the same set before a line, or a closing or follow-up after it."""
    picked = rng.sample(lines, min(most, len(lines)))
    routes = list(picked[0]['routes'])
    labels = {x['route'] for x in picked}
    dropped = rng.choice(picked)['route'] if rng.random() < .35 else None
    if dropped in (None, OTHER) or len(routes) < 3 or any(is_open(r) for r in routes if r['name'] != dropped):
        dropped = None
    keep = [r for r in routes if r['name'] in labels and r['name'] != dropped]
    rest = [r for r in routes if r['name'] not in labels and r['name'] != dropped]
    if rng.random() < .55 and rest:
        rest = rng.sample(rest, rng.randint(0 if len(keep) > 1 else 1, len(rest)))
    shown = keep + rest
    if len(shown) < 2:
        return None
    if rng.random() < .12 and extra:                                           # unrelated routes beside them
        names = {r['name'].lower() for r in shown}
        shown += [r for r in rng.sample(extra, rng.choice([1, 1, 2])) if r['name'].lower() not in names]
    rng.shuffle(shown)
    wordings = reworded(shown, rng)
    form = rng.choice(['{d}'] * 11 + ['{d}.', '{u}', '{n}: {u}', 'Use for: {u}', 'Requests of this kind: {u}', 'Topics: {u}', 'User intent: {u}', '{d} ({n})'])
    if rng.random() < .02:
        form = '{n}'
    ren = renamed(shown, form, rng)
    items = []
    for x in picked:
        conv, label, src = varied(x, lines, rng, phrases, closings, any(is_open(r) for r in shown))
        if label == dropped:
            label, src = OTHER, src + ':absent'
        items.append({'conversation': conv, 'route': ren.get(label, label) if label != OTHER else OTHER, 'source': src})

    def described(r):
        if not words_of(r['name']):
            return wordings[r['name']]
        plain = wordings[r['name']].rstrip('.')
        return form.format(d=plain, u=uncap(plain), n=cap(' '.join(words_of(r['name'])).lower()))
    return {'routes': [{'name': ren.get(r['name'], r['name']), 'description': described(r)} for r in shown], 'items': items}


def is_open(route):
    """Whether a route takes what no other does, so that nothing is `other` beside it."""
    return CATCH_ALL.search(' '.join(words_of(route['name'])) + ' ' + route['description'])


def reworded(routes, rng):
    """-> {name: one of the route's descriptions}: the first of all, the same one of all, or any of each."""
    kind, at = rng.random(), rng.randrange(3)
    pick = (lambda _: 0) if kind < .3 else (lambda n: at % n) if kind < .65 else rng.randrange
    return {r['name']: [r['description'], *r.get('rewordings', [])][pick(1 + len(r.get('rewordings', [])))] for r in routes}


def renamed(routes, form, rng):
    """-> {name: another one}: restyled, the route's other name or opaque; empty for most sets."""
    v = rng.random()
    ren = {}
    if v > .75:
        ren = {r['name']: rng.choice(r['names']) for r in routes if r.get('names')}
    if v < .25:
        st = rng.choice(['snake', 'kebab', 'camel', 'plain', 'pascal'])
        ren = {r['name']: style_name(r['name'], st) for r in routes if words_of(r['name'])}
    elif v < .31 and '{n}' not in form:
        f = rng.choice(OPAQUE)
        idx = list(range(len(routes)))
        rng.shuffle(idx)
        ren = {r['name']: f(i) for r, i in zip(routes, idx)}
    return ren if len({ren.get(r['name'], r['name']) for r in routes}) == len(routes) else {}


def varied(x, peers, rng, phrases, closings, open_set):
    """A line's conversation, label and source; now and then with a turn before or after it."""
    conv, label, src, u = list(x['conversation']), x['route'], x['source'], rng.random()
    if label == OTHER:
        return conv, label, src
    if u < .04 and not open_set:
        kind = rng.choice(['info', 'done'])
        tail = [{'role': 'assistant', 'content': rng.choice(phrases[kind])}, {'role': 'user', 'content': rng.choice(closings)}]
        return conv + tail, OTHER, src + ':closing'
    if u < .09 and len(conv) <= 3:
        before, after = rng.choice([('info', 'follow_info'), ('done', 'follow_act')])
        tail = [{'role': 'assistant', 'content': rng.choice(phrases[before])}, {'role': 'user', 'content': rng.choice(phrases[after])}]
        return conv + tail, label, src + ':followup'
    if u < .22 and len(conv) == 1:
        prev = rng.choice(peers)
        if prev['conversation'] != x['conversation'] and len(prev['conversation']) <= 3:
            reply = {'role': 'assistant', 'content': rng.choice(phrases[rng.choice(['info', 'info', 'done', 'clarify', 'fail'])])}
            return prev['conversation'] + [reply] + conv, label, src + ':shift'
    return conv, label, src


# ---------------------------------------------------------------- main
def load_clinc():
    data = json.load(gzip.open(RAW / 'clinc150' / 'data_full.json.gz', 'rt', encoding='utf-8'))
    return {k: [(u.strip(), l) for u, l in v] for k, v in data.items()}


def group(pairs_, corpus):
    d = collections.defaultdict(list)
    for u, l in pairs_:
        u = ' '.join(u.split())
        if len(u.split()) >= 1 and u:
            d[f'{corpus}:{l}'].append(u)
    return d


def key_of(ex):
    return norm(ex['conversation'][-1]['content'])


def check(ex):
    names = [r['name'] for r in ex['routes']]
    assert len(names) == len(set(names)) and 2 <= len(names) <= 34, names
    assert ex['route'] == OTHER or ex['route'] in names, ex
    assert OTHER not in names
    assert all(r['description'].strip() for r in ex['routes'])
    assert all(m['content'].strip() for m in ex['conversation'])
    roles = [m['role'] for m in ex['conversation']]
    assert roles[-1] == 'user' and roles == ['user', 'assistant'] * (len(roles) // 2) + ['user'], roles


def stats(name, L):
    n = len(L)
    turns = collections.Counter(len(x['conversation']) for x in L)
    rc = collections.Counter(len(x['routes']) for x in L)
    src = collections.Counter(':'.join(x['source'].split(':')[:2]) for x in L)
    pos = collections.Counter([r['name'] for r in x['routes']].index(x['route']) for x in L if x['route'] != OTHER)
    chars = sorted(sum(len(r['name']) + len(r['description']) for r in x['routes']) + sum(len(m['content']) for m in x['conversation']) for x in L)
    print(f"{name}: {n} lines, other {100 * sum(x['route'] == OTHER for x in L) / n:.1f} %, multi-turn {100 * sum(v for k, v in turns.items() if k > 1) / n:.1f} %, "
          f"route names {len({r['name'] for x in L for r in x['routes']})}, descriptions {len({r['description'] for x in L for r in x['routes']})}, "
          f"distinct last turns {len({key_of(x) for x in L})}")
    print('   messages', dict(sorted(turns.items())), '| routes', dict(sorted(rc.items())))
    print('   label position', dict(sorted(pos.items())), '| chars median', chars[n // 2], 'p95', chars[int(n * .95)], 'max', chars[-1])
    print('   sources', dict(src.most_common(24)))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--out', required=True)
    ap.add_argument('--groups', type=int, default=120_000)
    ap.add_argument('--seed', type=int, default=7)
    ap.add_argument('--samples', type=int, default=10)
    a = ap.parse_args()
    out = Path(a.out)
    out.mkdir(parents=True, exist_ok=True)
    R = load_routes()
    ph = json.load(open(HERE / 'phrases.json', encoding='utf-8'))
    clinc = load_clinc()
    sgd = SGD(R)
    pt = {**ph, 'follow_info': ph['follow_info_test'], 'follow_act': ph['follow_act_test']}
    tests = {}

    def suite(world, n, make=None, **kw):
        L, seen, tries = [], set(), 0
        while len(L) < n and tries < n * 60:
            tries += 1
            ex = make() if make else world.example(**kw)
            if ex is None or (key_of(ex) in seen and 'closing' not in ex['source'] and 'followup' not in ex['source']):
                continue
            check(ex)
            seen.add(key_of(ex))
            L.append(ex)
        return L

    # --- test suites
    b77 = group([(r['text'].strip(), r['category']) for r in csv.DictReader(gzip.open(RAW / 'banking77' / 'test.csv.gz', 'rt', encoding='utf-8'))], 'b77')
    hw = [(u, l) for s in ('valid', 'test') for u, l in zip(gz_lines(RAW / 'hwu64' / f'{s}.seq.in.gz'), gz_lines(RAW / 'hwu64' / f'{s}.label.gz')) if u and l != 'general_quirky']
    hwu = group(hw, 'hwu')
    cl_test_unseen = {k: v for k, v in group(clinc['test'], 'clinc').items() if R[k].domain in CLINC_HELD_OUT}
    cl_test_seen = {k: v for k, v in group(clinc['test'], 'clinc').items() if R[k].domain not in CLINC_HELD_OUT}
    rng = random.Random(a.seed * 1000 + 1)
    wb = World(R, b77, pt, rng, False, ph['close_test'])
    tests['banking77'] = suite(wb, SUITE_SIZE, p_other=.12, p_multi=.25)
    wh = World(R, hwu, pt, random.Random(a.seed * 1000 + 2), False, ph['close_test'])
    tests['hwu64'] = suite(wh, SUITE_SIZE, p_other=.12, p_multi=.25)
    wc = World(R, cl_test_unseen, pt, random.Random(a.seed * 1000 + 3), False, ph['close_test'], extra=[R[k] for k in cl_test_seen])
    tests['clinc_unseen'] = suite(wc, SUITE_SIZE, p_other=.12, p_multi=.25)
    ws = World(R, cl_test_seen, pt, random.Random(a.seed * 1000 + 4), False, ph['close_test'])
    tests['clinc_seen'] = suite(ws, SUITE_SIZE, p_other=.12, p_multi=.25)
    rng = random.Random(a.seed * 1000 + 5)
    td = [d for d in sgd.dialogues('test')]
    test_services = {s for s, sp in sgd.splits.items() if 'test' in sp}
    tests['sgd_unseen'] = suite(None, SUITE_SIZE, make=lambda: sgd_example(sgd, rng.choice(td), rng, test_services, ph, False, want_unseen=sgd.unseen))
    rng = random.Random(a.seed * 1000 + 6)
    oos_test = [u for u, _ in clinc['oos_test']]
    rng.shuffle(oos_test)
    oos_held, oos_train = oos_test[:600], oos_test[600:] + [u for u, _ in clinc['oos_train'] + clinc['oos_val']]
    worlds = [wb, wh, wc, ws]
    w_src = {**b77, **cl_test_unseen}

    def oos_example(u, world, r2):
        """An utterance that no route of these corpora covers."""
        world.rng, keep = r2, world.rng
        try:
            t = r2.choice(world.intents)
            routes, _ = world.routes_for(t, False, avoid={'clinc:fun_fact', 'hwu:qa_factoid', 'hwu:news_query', 'hwu:qa_definition', 'clinc:definition', 'clinc:calculator'},
                                         plan=r2.choices(['intent', 'domain'], [85, 15])[0] if world.domains else 'intent')
            if any(r.topics & {'events', 'movies', 'facts', 'define', 'math'} and r.level == 'intent' for r in routes):
                return None
            if any(r.key in ('hwu:qa:domain', 'hwu:qa_factoid', 'clinc:fun_fact', 'clinc:definition', 'hwu:news_query', 'hwu:general:domain', 'clinc:utility:domain',
                             'hwu:qa_definition', 'hwu:news:domain', 'hwu:general_quirky', 'clinc:what_can_i_ask_you', 'hwu:recommendation:domain') for r in routes):
                return None
            conv = []
            if r2.random() < .2:
                conv = [('user', world.utt(t)), ('assistant', world.reply(t, r2.choice(['info', 'done', 'topic'])))]
            conv.append(('user', dress(u, r2)))
            return world.finish(routes, None, conv, 'clinc:oos')
        finally:
            world.rng = keep

    arena = [json.loads(x)['turns'][0]['content'].strip() for x in gz_lines(RAW / 'arena_hard' / 'question.jsonl.gz') if x]
    arena = [x for x in arena if len(x) < 2500]
    rng.shuffle(arena)
    arena_held, arena_train = arena[:100], arena[100:]

    def arena_example(u, pool, r2):
        """A real chat prompt (mostly code, science, business) that none of these household, travel and booking routes covers."""
        k = min(n_routes(r2), len(pool))
        t = r2.choice(pool)
        routes = fill([t], pool, pool, k, r2, [], False, .5)
        conv = []
        if r2.random() < .2 and t.key in w_src:
            conv = [('user', dress(r2.choice(w_src[t.key]), r2)), ('assistant', r2.choice(ph['info'] + ph['done']))]
        conv.append(('user', u))
        r2.shuffle(routes)
        x = render_set(routes, r2, plain=False)
        if len(routes) < 2 or len({n for n, _ in x.values()}) != len(routes):
            return None
        return {'routes': [{'name': x[r.key][0], 'description': x[r.key][1]} for r in routes],
                'conversation': [{'role': a_, 'content': b_} for a_, b_ in conv], 'route': OTHER, 'source': 'arena:oos'}

    oos_iter = iter(oos_held)

    def make_oos():
        x = rng.random()
        if x < .68:
            u = next(oos_iter, None)
            return oos_example(u if u else rng.choice(oos_held), rng.choice(worlds), rng)
        if x < .82:
            return arena_example(rng.choice(arena_held), [r for r in wc.intents if r.domain == 'banking'] + wb.intents, rng)
        return rng.choice(worlds).example(p_other=1)
    tests['oos'] = suite(None, SUITE_SIZE, make=make_oos)

    rng = random.Random(a.seed * 1000 + 7)
    mt_routes = [r for r in R.values() if r.corpus == 'mtbench']
    mt = []
    for line in gz_lines(RAW / 'mtbench' / 'question.jsonl.gz'):
        if not line:
            continue
        q = json.loads(line)
        for turn in (0, 1):
            t = R[f"mtbench:{q['category']}"]
            rest = [r for r in mt_routes if r is not t]
            routes = [t] + (rest if rng.random() < .4 else rng.sample(rest, rng.randint(2, 6)))
            conv = [('user', q['turns'][0])] + ([('assistant', rng.choice(ph['info'])), ('user', q['turns'][1])] if turn else [])
            rng.shuffle(routes)
            w_ = render_set(routes, rng, plain=True)
            mt.append({'routes': [{'name': w_[r.key][0], 'description': w_[r.key][1]} for r in routes],
                       'conversation': [{'role': x, 'content': y} for x, y in conv], 'route': w_[t.key][0], 'source': f"mtbench:turn{turn + 1}:{q['category']}"})
            check(mt[-1])
    tests['mtbench'] = mt

    first = load_first_sets()
    tests['authored'] = [{k: x[k] for k in ('routes', 'conversation', 'route', 'source')} for x in first if x['split'] == 'test']
    for x in tests['authored']:
        check(x)

    # --- training and validation
    # Greetings and the phrases of composed follow-ups give nothing away of a route, and training needs them.
    common = {norm(phrase) for kind in ('follow_info', 'follow_act', 'close_train') for phrase in ph[kind]}
    banned = telling(tests.values(), common)
    rng = random.Random(a.seed)
    train_pairs = [p for s in ('train', 'val') for p in clinc[s]]
    cl = {k: v for k, v in group(train_pairs, 'clinc').items() if R[k].domain not in CLINC_HELD_OUT}
    sn = group([(u, l) for u, l in zip(gz_lines(RAW / 'snips' / 'train.seq.in.gz'), gz_lines(RAW / 'snips' / 'train.label.gz')) if u], 'snips')
    sn = {k.replace(' ', ''): rng.sample(v, min(len(v), 400)) for k, v in sn.items()}
    small = {}
    for c in ('curekart', 'sofmattress', 'powerplay11'):
        rows = [r for s in ('train', 'test') for r in csv.DictReader(gzip.open(RAW / 'hint3' / f'{c}_{s}.csv.gz', 'rt', encoding='utf-8', errors='replace'))]
        small.update(group([(r['sentence'], r['label']) for r in rows if not re.search(r'\d{7}|[^\x00-\u02ff\u2010-\u2030]', r['sentence'])
                            and len(r['sentence'].split()) < 40], c))
    for c, f in (('askubuntu', 'AskUbuntuCorpus'), ('webapps', 'WebApplicationsCorpus')):
        small.update(group([(x['text'], x['intent']) for x in json.load(gzip.open(RAW / 'nlu_eval_corpora' / f'{f}.json.gz', 'rt', encoding='utf-8'))['sentences']], c))
    small = {k: v for k, v in small.items() if k in R}
    val_clinc = {k: v for k, v in cl.items() if R[k].domain == CLINC_VALIDATION}
    val_shop = {k: v for k, v in small.items() if R[k].corpus == SHOP_VALIDATION}
    cl = {k: v for k, v in cl.items() if k not in val_clinc}
    small = {k: v for k, v in small.items() if k not in val_shop}
    train_services = {s for s in sgd.train_services if sgd_family(s) not in SGD_VALIDATION}
    val_services = sgd.train_services - train_services
    sgd_extra = [r for (s, n), r in sgd.intent_routes.items() if s in train_services]
    utts = {**cl, **sn, **small}
    w = World(R, utts, ph, rng, True, ph['close_train'], extra=sgd_extra)
    cl_extra = [R[k] for k in cl if k not in CLOSERS and R[k].domain not in ('small_talk', 'meta')]
    dialogues, val_dialogues = [], []
    for sp in ('train', 'dev'):
        for d in sgd.dialogues(sp):
            services = set(d['services'])
            if services & val_services and not services & sgd.unseen:
                val_dialogues.append(d)
            elif services & train_services and not services & sgd.unseen:
                dialogues.append(d)
    later = load_sets()
    peers = collections.defaultdict(list)
    for x in first + later:
        if x['split'] == 'train':
            peers[x['group']].append(x)
    plain_extra = [{'name': style_name(r.names[0], 'snake'), 'description': cap(r.descs[-1])} for r in
                   [R[k] for k in cl if R[k].domain in ('utility', 'meta', 'credit_cards') and k not in CLOSERS]]
    arena_pool = [R[k] for k in cl if R[k].domain in ('credit_cards', 'home', 'travel', 'meta') and R[k].intent not in ('translate', 'calendar')] + sgd_extra
    w_src.clear()
    w_src.update(cl)

    # --- validation
    rng_v = random.Random(a.seed * 1000 + 8)
    oos_val, oos_train = oos_train[:150], oos_train[150:]
    arena_val, arena_train = arena_train[:60], arena_train[60:]
    validation = {}

    wv = World(R, val_clinc, ph, rng_v, False, ph['close_train'], extra=[R[k] for k in cl])
    validation['clinc'] = suite(None, 400, lambda: wv.example(p_other=.12, p_multi=.25))
    wm = World(R, val_shop, ph, rng_v, False, ph['close_train'])
    validation['shop'] = suite(None, 200, lambda: wm.example(p_other=.12, p_multi=.2))
    validation['sgd'] = suite(None, 300, lambda: sgd_example(sgd, rng_v.choice(val_dialogues), rng_v, sgd.train_services, ph, False, want_unseen=val_services))
    oos_v = iter(oos_val)

    def make_oos_val():
        if rng_v.random() < .7:
            return oos_example(next(oos_v, None) or rng_v.choice(oos_val), rng_v.choice([wv, wm]), rng_v)
        return arena_example(rng_v.choice(arena_val), [R[k] for k in val_clinc], rng_v)
    validation['oos'] = suite(None, 200, make_oos_val)
    for part in ('authored', 'plain'):
        validation[part] = [{k: x[k] for k in ('routes', 'conversation', 'route', 'source')} for x in later
                            if x['split'] == 'validation' and x['part'] == part]

    for part in ('authored', 'plain'):
        for x in validation[part]:
            check(x)

    # --- training
    banned |= telling(validation.values(), common)
    sets = sorted(peers)

    def gen_authored():
        lines = peers[rng.choice(sets)]
        return authored_group(lines, rng, ph, ph['close_train'], plain_extra if 'tech' in lines[0]['source'] else None)

    def gen_sgd():
        return sgd_example(sgd, rng.choice(dialogues), rng, train_services, ph, True, extra=cl_extra if rng.random() < .25 else ())

    gens = [(lambda: w.example(p_other=.25, p_multi=.16), .40), (gen_sgd, .40), (lambda: oos_example(rng.choice(oos_train), w, rng), .05),
            (lambda: arena_example(rng.choice(arena_train), arena_pool, rng), .03), (gen_authored, 1.0)]
    tot = sum(p for _, p in gens)
    train, seen = [], set()
    for g, p in gens:
        want, got, tries = round(a.groups * p / tot), 0, 0
        while got < want and tries < want * 40:
            tries += 1
            ex = g()
            if ex is None:
                continue
            if 'items' not in ex:
                ex = {'routes': ex['routes'], 'items': [{k: ex[k] for k in ('conversation', 'route', 'source')}, *ex.get('more', ())]}
            ex['items'] = [x for x in ex['items'] if not is_banned(x, banned)]
            digest = hashlib.md5(json.dumps(ex, sort_keys=True).encode()).digest()
            if not ex['items'] or digest in seen:
                continue
            seen.add(digest)
            for x in ex['items']:
                check({**x, 'routes': ex['routes']})
            train.append(ex)
            got += 1
    rng.shuffle(train)

    flat = [{**x, 'routes': ex['routes']} for ex in train for x in ex['items']]
    last_train = {key_of(x) for x in flat} & banned
    for name, L in [*tests.items(), *validation.items()]:
        dup = [x for x in L if key_of(x) in last_train]
        assert not dup, (name, len(dup), dup[0]['conversation'][-1])
    files = [('train', train)] + [('val_' + n, L) for n, L in validation.items()] + [('test_' + n, L) for n, L in tests.items()]
    for name, L in files:
        with open(out / f'{name}.jsonl', 'w', encoding='utf-8') as f:
            for x in L:
                f.write(json.dumps(x, ensure_ascii=False) + '\n')
        if L:
            stats(name, flat if name == 'train' else L)
    for x in rng.sample(flat, a.samples):
        print('-' * 100)
        for r in x['routes']:
            print(f"  [{'*' if r['name'] == x['route'] else ' '}] {r['name']}: {r['description']}")
        for m in x['conversation']:
            print(f"  {m['role'][0].upper()}: {m['content'][:300]}")
        print('  =>', x['route'], '   ', x['source'])


def telling(files, common):
    """What the conversations of the files end in, but for messages of one or two words and common phrases."""
    return {key for records in files for key in map(key_of, records) if len(key.split()) > 2} - common


def is_banned(item, banned):
    """Whether a conversation holds an utterance that a test or validation conversation ends with."""
    return key_of(item) in banned or any(
        norm(m['content']) in banned for m in item['conversation'] if m['role'] == 'user' and len(m['content'].split()) > 3)


if __name__ == '__main__':
    main()
